"""Follow a diarization, from waiting for its turn to its last embedding."""

from jobs.stages import Stage
from pipeline.one_by_one import Tell
from pipeline.progress import OnProgress

# Which share of the time the steps take, measured on the CPU; the rest is reconstruction.
_SEGMENTATION_SHARE = 0.4
_EMBEDDINGS_SHARE = 0.57
_CLUSTERING_SHARE = 0.02
_WAITING_SHARE = 0.01  # of the stage, at most, for waiting until other jobs are done with it


class DiarizerProgress:
    """Make one rising fraction of the steps that pyannote reports."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._fraction = 0.0
        self._advance: Tell = lambda _: None

    def waited(self, fraction: float) -> None:
        """Note how much of the waiting for other jobs is done."""
        self._tell(_WAITING_SHARE * fraction)

    def tell_others(self, advance: Tell) -> None:
        """Let those know who wait for this job."""
        self._advance = advance

    def __call__(
        self,
        step: str,
        artifact: object,
        *,
        file: object = None,
        total: float | None = None,
        completed: float | None = None,
    ) -> None:
        """Note what pyannote says; without numbers, a step is over."""
        done = min(completed / total, 1.0) if total and completed is not None else 1.0
        if step == "segmentation":
            fraction = _SEGMENTATION_SHARE * done
        elif step == "embeddings":
            fraction = _SEGMENTATION_SHARE + _EMBEDDINGS_SHARE * done
        elif step == "clustering":
            fraction = _SEGMENTATION_SHARE + _EMBEDDINGS_SHARE + _CLUSTERING_SHARE * done
        else:
            fraction = self._fraction
        self._tell(fraction)
        self._advance(self._fraction)

    def _tell(self, fraction: float) -> None:
        self._fraction = max(self._fraction, fraction)
        self._on_progress(Stage.DIARIZE, self._fraction)
