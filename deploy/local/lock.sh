#!/bin/sh
# Compile pyproject.toml's extras into one pinned, hashed file per image. No index address is kept.
set -eu
compile() { # name, then options
    name=$1
    shift
    .venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --output-file "requirements/$name.txt" "$@" pyproject.toml
}
compile dev --extra dev
for image in api worker flower; do
    compile "$image" --extra "$image" --constraint requirements/dev.txt
done
awk '/^[a-z]/ { keep = /^uv==/ } keep && !/#/' requirements/dev.txt >requirements/uv.txt
