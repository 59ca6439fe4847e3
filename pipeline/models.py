"""Give each stage its model: found or pulled, loaded once, shared by all jobs of the process."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from pipeline.whisper import WhisperRecognizer

COMMUNITY = "community-1"
PULL_SHARE = 0.001  # of a stage

OnPull = Callable[[float], None]


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
    """The models of one process; any number of threads may ask."""

    def __init__(self, settings: PipelineSettings, device: Device) -> None:
        self._settings = settings
        self._device = device
        self._cache = ModelCache()
        self._tuning = settings.diarize_param_overrides.but(
            threshold=settings.diarize_clustering_threshold,
            min_duration_off=settings.diarize_min_duration_off,
        )

    def loaded(self) -> tuple[str, ...]:
        """Return the names of what is in memory."""
        return self._cache.loaded()

    def whisper(self, name: str, on_pull: OnPull = nobody) -> "WhisperRecognizer":
        """Return a Whisper model for good: it is never unloaded.

        Raises:
            ModelUnavailable: it is not here and cannot be had.
        """
        return self._cache.get(name, lambda: self._load_whisper(name, on_pull))

    def using_whisper(
        self, name: str, on_pull: OnPull = nobody
    ) -> AbstractContextManager["WhisperRecognizer"]:
        """Lend a Whisper model for a block; afterwards it may be unloaded when it is idle.

        Raises:
            ModelUnavailable: on entering: it is not here and cannot be had.
        """
        return self._cache.using(name, lambda: self._load_whisper(name, on_pull))

    def evict_idle(self) -> tuple[str, ...]:
        """Unload the Whisper models that were idle for too long; returns their names."""
        return self._cache.evict_idle(
            self._settings.model_keep_alive_seconds, but=(self._device.default_model,)
        )

    def evict_unused(self) -> tuple[str, ...]:
        """Unload the Whisper models that nobody uses at this moment; returns their names."""
        return self._cache.evict_idle(0.0, but=(self._device.default_model,))

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
        model = catalog().aligner(language)
        if model is None:
            msg = f"there is no aligner for the language {language!r}"
            raise ModelUnavailable(msg)

        def load() -> Aligner:
            weights = locate(model.name, self._settings, on_pull)
            return load_aligner(language, weights, device=self._device.align_device)

        return self._cache.get(model.name, load)

    def diarizer(self, on_pull: OnPull = nobody) -> Diarizer:
        """Return the best diarizer that can be had: community-1, else the bundled one.

        community-1 is used where it is in the cache, and fetched where HF_TOKEN opens it.

        Raises:
            ModelUnavailable: not even the bundled one is here.
        """
        settings = self._settings
        if cached(COMMUNITY, settings) is None and settings.hf_token is None:
            return self.bundled_diarizer(on_pull)

        def load() -> Diarizer:
            return load_community(
                checkpoint=locate(COMMUNITY, settings, on_pull),
                token=None,  # the folder holds everything
                device=self._device.name,
                tuning=self._tuning,
            )

        return self._cache.get(COMMUNITY, load)

    def bundled_diarizer(self, on_pull: OnPull = nobody) -> Diarizer:
        """Return the diarizer that needs no token.

        Raises:
            ModelUnavailable: its two models are not here and cannot be had.
        """
        settings = self._settings

        def load() -> Diarizer:
            return load_bundled(
                segmentation=locate("segmentation-3.0", settings, on_pull) / "pytorch_model.bin",
                embedding=locate("campplus", settings, on_pull) / "campplus_cn_en_common.pt",
                device=self._device.name,
                tuning=self._tuning,
            )

        return self._cache.get("bundled diarizer", load)
