"""Fetch a model's files from a Hugging Face repository.

Each byte is checked against the hash pinned in the catalog; where none is pinned, against the one
that the hub publishes beside the file (sha256 for large files, git's blob hash for small ones).
"""

import fnmatch
import logging
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cache_dir import PulledFile
from pipeline.catalog import Hub, Model
from pipeline.recent_failures import RecentFailures
from pipeline.sources import Fetched, OnPull, SourceFailed, checked, run

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo, RepoSibling

log = logging.getLogger(__name__)

HUB_PATIENCE_SECONDS = 8.0  # for the hub's first answer, name look-up included
HUB_MEMORY_SECONDS = 300.0  # how long a silent hub is not asked again

_silent_hubs = RecentFailures(seconds=HUB_MEMORY_SECONDS)


def from_hub(model: Model, directory: Path, *, token: str | None, on_pull: OnPull) -> Fetched:
    """Fetch a model from its Hugging Face repository; HF_ENDPOINT names a mirror.

    Raises:
        SourceFailed: the hub is silent or refuses, or the files are not what was published.
    """
    hub = _hub_of(model)
    info = _published(hub, token, on_pull)
    chosen = _chosen(model, info.siblings or [])
    total = sum(sibling.size or 0 for sibling in chosen)
    command = [sys.executable, "-m", "huggingface_hub.cli.hf", "download", "--quiet"]
    command += ["--revision", info.sha or hub.revision, "--local-dir", str(directory)]
    command += ["--", hub.repo, *(sibling.rfilename for sibling in chosen)]
    # As a child it can be stopped in the middle of a file. The token travels in the environment:
    # arguments are visible to every process of the machine. Plain HTTPS instead of Xet, which
    # not every proxy lets through.
    environment = {**os.environ, "HF_HUB_DISABLE_XET": "1"} | ({"HF_TOKEN": token} if token else {})
    status = run(command, directory, environment, total, on_pull)
    if status != 0:
        raise SourceFailed(f"the hub broke off: {_remedy(hub)}")
    files = {s.rfilename: _verified(directory, s, hub.sha256.get(s.rfilename)) for s in chosen}
    return Fetched(source=f"{hub.repo}@{info.sha}", files=files)


def _hub_of(model: Model) -> Hub:
    if model.hub is None:
        raise SourceFailed("no hub repository is known for it")
    return model.hub


def _published(hub: Hub, token: str | None, on_pull: OnPull) -> "ModelInfo":
    """Ask the hub what it has; give up soon, and remember a hub that is silent.

    The question is put in a thread of its own because a name look-up on a machine without a
    network may take longer than anybody wants to wait, and cannot be interrupted.
    """
    import requests
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    if silent := _silent_hubs.reason(api.endpoint):
        raise SourceFailed(silent)
    answers: list[ModelInfo] = []
    errors: list[requests.RequestException] = []

    def ask() -> None:
        try:
            answers.append(
                api.model_info(
                    hub.repo,
                    revision=hub.revision,
                    timeout=HUB_PATIENCE_SECONDS,
                    files_metadata=True,
                )
            )
        except requests.RequestException as error:
            errors.append(error)

    asking = threading.Thread(target=ask, name="ask-the-hub", daemon=True)
    asking.start()
    waited = 0.0
    while asking.is_alive() and waited < HUB_PATIENCE_SECONDS:
        asking.join(timeout=0.5)
        waited += 0.5
        on_pull(0.0)
    if answers:
        return answers[0]
    error = errors[0] if errors else None
    log.info("the hub gave nothing", extra={"repo": hub.repo, "error": repr(error)})
    if isinstance(error, requests.HTTPError):
        raise SourceFailed(f"the hub refused: {_remedy(hub)}") from error
    silent = "the Hugging Face hub does not answer from here"
    _silent_hubs.remember(api.endpoint, silent)
    raise SourceFailed(silent) from error


def _remedy(hub: Hub) -> str:
    if hub.gated:
        return f"set HF_TOKEN and accept the terms of {hub.repo} once, on its page on the hub"
    return f"is {hub.repo} still there, and may HF_TOKEN read it?"


def _chosen(model: Model, siblings: "Sequence[RepoSibling]") -> "list[RepoSibling]":
    chosen = [sibling for sibling in siblings if model.wants(sibling.rfilename)]
    names = {sibling.rfilename for sibling in chosen}
    if "model.safetensors" in names:  # the same weights in a form that runs no code when read
        chosen = [sibling for sibling in chosen if sibling.rfilename != "pytorch_model.bin"]
    for pattern in model.required:
        if not any(fnmatch.filter(names, choice) for choice in pattern.split("|")):
            raise SourceFailed(f"its repository lacks {pattern}")
    return chosen


def _verified(directory: Path, sibling: "RepoSibling", pinned: str | None) -> PulledFile:
    path = directory / sibling.rfilename
    published = sibling.lfs.sha256 if sibling.lfs else None
    if pinned or published:
        return checked(path, sha256=pinned or published)
    return checked(path, blob_id=sibling.blob_id)
