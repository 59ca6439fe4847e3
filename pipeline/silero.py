"""Lend Silero's voice activity model, one for the process, as it keeps nothing of a call."""

from contextlib import AbstractContextManager
from typing import Any

from pipeline.model_cache import ModelCache

NAME = "silero"

# Not among the models of a pipeline, whose number may be limited: this one is 2 MB.
_cache = ModelCache()


def using_silero() -> AbstractContextManager[Any]:
    """Lend an ONNX Runtime session for a block; it is not unloaded meanwhile."""
    return _cache.using(NAME, _load)


def loaded_silero() -> tuple[str, ...]:
    """Return its name if it is in memory."""
    return _cache.loaded()


def evict_idle_silero(seconds: float) -> tuple[str, ...]:
    """Unload it if nobody has used it for so long; returns its name then."""
    return _cache.evict_idle(seconds)


def _load() -> Any:
    from faster_whisper.vad import get_vad_model

    # Past faster-whisper's own cache, which never lets go.
    return get_vad_model.__wrapped__().session
