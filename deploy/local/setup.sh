#!/bin/sh
# Make .venv with exactly what a locked requirements file names. Run from the top of the checkout.
set -eu
requirements=$1

say() { printf '%s\n' "$*" >&2; }

suits() { # whether a Python is one that our requirements are locked for
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null
}

if ! suits .venv/bin/python; then
    for python in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
        if command -v "$python" >/dev/null 2>&1 && suits "$python"; then
            found=$python
            break
        fi
    done
    [ -n "${found:-}" ] || { say "setup: no Python 3.11, 3.12 or 3.13 here; set PYTHON=/path/to/one"; exit 1; }
    # Debian keeps ensurepip in a package of its own; without it uv has to be there already.
    "$found" -m venv .venv 2>/dev/null || "$found" -m venv --clear --without-pip .venv
fi

if [ -x .venv/bin/uv ]; then
    uv=.venv/bin/uv
elif command -v uv >/dev/null 2>&1; then
    uv=uv
elif .venv/bin/python -m pip --version >/dev/null 2>&1; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
    uv=.venv/bin/uv
elif "${PYTHON:-python3}" -m pip --version >/dev/null 2>&1; then
    # A Python that refuses global installs still fills a folder of ours.
    "${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --require-hashes \
        --target .venv/uv -r requirements/uv.txt
    uv=.venv/uv/bin/uv
else
    say "setup: neither uv nor pip is here; install uv, or Python's pip or venv package"
    exit 1
fi

# uv does not read pip's configuration; a mirror that is set for pip serves us as well.
if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ] && [ -n "${PIP_INDEX_URL:-}" ]; then
    export UV_DEFAULT_INDEX="$PIP_INDEX_URL"
fi

say "setup: installing $(grep -c '^[a-z0-9].*==' "$requirements") locked packages into .venv …"
"$uv" pip install --quiet --python .venv/bin/python --require-hashes -r "$requirements"
"$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
