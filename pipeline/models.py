"""Give each stage its model: found or pulled, loaded once, shared by all jobs of the process."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from jobs.errors import ModelUnavailable
from jobs.stages import Stage
from pipeline.aligner_models import Aligner, load_aligner
from pipeline.cache_dir import cached
from pipeline.catalog import catalog
from pipeline.device import Device
from pipeline.diarizing import Diarizer, load_bundled, load_community
from pipeline.model_cache import ModelCache
from pipeline.progress import OnProgress
from pipeline.pull import locate
from pipeline.settings import PipelineSettings
from pipeline.silero import evict_idle_silero, loaded_silero
from pipeline.unloading import Unloader

if TYPE_CHECKING:
    from pipeline.whisper import WhisperRecognizer

COMMUNITY = "community-1"
PULL_SHARE = 0.001  # of a stage

T = TypeVar("T")
OnPull = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept(Generic[T]):
    """Where the cache has a model, or how to come by it."""

    key: str
    load: Callable[[], T]


def nobody(fraction: float) -> None:
    """Follow nothing."""


def pulling(on_progress: OnProgress, stage: Stage, *, after: float = 0.0) -> OnPull:
    """Let a caller follow, and stop, a run that waits for a model to arrive.

    It moves by next to nothing, as a job hardly ever waits for this: just so that a long pull does
    not look like a standstill.

    Args:
        on_progress: hears of `stage`.
        stage: that needs the model.
        after: share of the stage that was done before, 0 to 1.
    """
    return lambda fraction: on_progress(stage, after + PULL_SHARE * fraction)


class Models:
    """The models of one process; any number of threads may ask.

    What `using_…` lends is not unloaded within its block. What the other methods return is never
    unloaded: they are for those who cannot say when they are done.
    """

    def __init__(self, settings: PipelineSettings, device: Device) -> None:
        self._settings = settings
        self._device = device
        self._unloader = Unloader()
        self._cache = ModelCache(
            most=settings.max_loaded_models,
            stay=(device.default_model,),
            let_go=self._unloader.let_go,
        )
        self._tuning = settings.diarize_param_overrides.but(
            threshold=settings.diarize_clustering_threshold,
            min_duration_off=settings.diarize_min_duration_off,
        )

    def loaded(self) -> tuple[str, ...]:
        """Return the names of what is in memory."""
        return (*self._cache.loaded(), *loaded_silero())

    def evict_idle(self) -> tuple[str, ...]:
        """Unload what was idle for too long or is beyond the number allowed; returns the names."""
        seconds = self._settings.model_keep_alive_seconds
        evicted = self._cache.shrink()
        if not seconds:  # never
            return evicted
        return (*evicted, *self._cache.evict_idle(seconds), *evict_idle_silero(seconds))

    def evict_unused(self) -> tuple[str, ...]:
        """Unload the models that nobody uses at this moment; returns their names."""
        return self._cache.evict_idle(0.0)

    def evictions(self) -> dict[str, int]:
        """How often each model was unloaded, by name."""
        return self._unloader.counts()

    def whisper(self, name: str, on_pull: OnPull = nobody) -> "WhisperRecognizer":
        """Return a Whisper model.

        Raises:
            ModelUnavailable: it is not here and cannot be had.
        """
        return self._cache.get(name, lambda: self._load_whisper(name, on_pull))

    def using_whisper(
        self, name: str, on_pull: OnPull = nobody
    ) -> AbstractContextManager["WhisperRecognizer"]:
        """Lend a Whisper model; on entering, errors as of `whisper`."""
        return self._cache.using(name, lambda: self._load_whisper(name, on_pull))

    def _load_whisper(self, name: str, on_pull: OnPull) -> "WhisperRecognizer":
        from pipeline.whisper import load_whisper

        return load_whisper(
            locate(name, self._settings, on_pull),
            name=name,
            device=self._device.name,
            compute_type=self._device.compute_type,
        )

    def aligner(self, language: str, on_pull: OnPull = nobody) -> Aligner:
        """Return the wav2vec2 aligner of a language.

        Raises:
            ModelUnavailable: there is none for this language, or it cannot be had.
        """
        kept = self._aligner(language, on_pull)
        return self._cache.get(kept.key, kept.load)

    def using_aligner(
        self, language: str, on_pull: OnPull = nobody
    ) -> AbstractContextManager[Aligner]:
        """Lend the wav2vec2 aligner of a language; errors as of `aligner`."""
        kept = self._aligner(language, on_pull)
        return self._cache.using(kept.key, kept.load)

    def _aligner(self, language: str, on_pull: OnPull) -> _Kept[Aligner]:
        model = catalog().aligner(language)
        if model is None:
            msg = f"there is no aligner for the language {language!r}"
            raise ModelUnavailable(msg)

        def load() -> Aligner:
            weights = locate(model.name, self._settings, on_pull)
            return load_aligner(language, weights, device=self._device.align_device)

        return _Kept(key=model.name, load=load)

    def diarizer(self, on_pull: OnPull = nobody) -> Diarizer:
        """Return the best diarizer that can be had: community-1, else the bundled one.

        community-1 is used where it is in the cache, and fetched where HF_TOKEN opens it.

        Raises:
            ModelUnavailable: not even the bundled one is here.
        """
        kept = self._diarizer(on_pull)
        return self._cache.get(kept.key, kept.load)

    def using_diarizer(self, on_pull: OnPull = nobody) -> AbstractContextManager[Diarizer]:
        """Lend the best diarizer that can be had; on entering, errors as of `diarizer`."""
        kept = self._diarizer(on_pull)
        return self._cache.using(kept.key, kept.load)

    def _diarizer(self, on_pull: OnPull) -> _Kept[Diarizer]:
        settings = self._settings
        if cached(COMMUNITY, settings) is None and settings.hf_token is None:
            return self._bundled_diarizer(on_pull)

        def load() -> Diarizer:
            return load_community(
                checkpoint=locate(COMMUNITY, settings, on_pull),
                token=None,  # the folder holds everything
                device=self._device.name,
                tuning=self._tuning,
            )

        return _Kept(key=COMMUNITY, load=load)

    def bundled_diarizer(self, on_pull: OnPull = nobody) -> Diarizer:
        """Return the diarizer that needs no token.

        Raises:
            ModelUnavailable: its two models are not here and cannot be had.
        """
        kept = self._bundled_diarizer(on_pull)
        return self._cache.get(kept.key, kept.load)

    def using_bundled_diarizer(self, on_pull: OnPull = nobody) -> AbstractContextManager[Diarizer]:
        """Lend the diarizer that needs no token; on entering, errors as of `bundled_diarizer`."""
        kept = self._bundled_diarizer(on_pull)
        return self._cache.using(kept.key, kept.load)

    def _bundled_diarizer(self, on_pull: OnPull) -> _Kept[Diarizer]:
        settings = self._settings

        def load() -> Diarizer:
            return load_bundled(
                segmentation=locate("segmentation-3.0", settings, on_pull) / "pytorch_model.bin",
                embedding=locate("campplus", settings, on_pull) / "campplus_cn_en_common.pt",
                device=self._device.name,
                tuning=self._tuning,
            )

        return _Kept(key="bundled diarizer", load=load)
