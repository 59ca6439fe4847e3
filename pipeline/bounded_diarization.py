"""Keep pyannote's diarization within bounds of memory and time on media of any length.

Only imported inside functions (by `diarizing`): importing pyannote takes seconds.
"""

import logging
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from pyannote.audio import Pipeline  # noqa: TID253 - see above
from pyannote.audio.pipelines import clustering  # noqa: TID253 - see above
from pyannote.core import (  # noqa: TID253 - see above
    Annotation,
    Segment,
    SlidingWindowFeature,
)

from pipeline import speaker_frames
from pipeline.sliding_segmentation import segment

# The linkage needs 16 bytes for each pair of voices: 0.3 GB and some seconds, whatever the media.
# One hour of one voice at a time is 3600.
MAX_CLUSTERED = 6_000

log = logging.getLogger(__name__)


def bounded(pipeline: Pipeline) -> None:
    """Replace what takes memory or time out of proportion on long media.

    On the object: community-1 is built by pyannote itself, from its configuration.
    """
    steps = _ClusteringSteps()

    def segmented(
        file: dict[str, Any], hook: Callable[..., None] | None = None
    ) -> SlidingWindowFeature:
        steps.of_run(hook)  # pyannote hands none on to the clustering
        return get_segmentations(pipeline, file, hook)

    pipeline.get_segmentations = segmented
    pipeline.reconstruct = reconstruct
    pipeline.to_annotation = to_annotation
    # It prints advice on standard output, which belongs to the command line's transcript.
    clustering.print = log.debug
    unbounded = pipeline.clustering.filter_embeddings

    def filter_embeddings(
        embeddings: np.ndarray[Any, Any], segmentations: SlidingWindowFeature, **options: Any
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        _, window, voice = unbounded(embeddings, segmentations=segmentations, **options)
        if not len(window):
            # Nobody talks for two seconds alone: then whoever can be described has to do.
            window, voice = np.nonzero(~np.isnan(embeddings).any(axis=2))
        if not len(window):
            # Nobody can: one speaker, without an embedding. The mean of nothing would be NaN.
            zero = np.zeros(1, dtype=np.int64)
            return np.zeros((1, embeddings.shape[2])), zero, zero
        steps.tell(1)
        kept = speaker_frames.thinned(np.arange(len(window)), at_most=MAX_CLUSTERED)
        window, voice = window[kept], voice[kept]
        return embeddings[window, voice], window, voice

    pipeline.clustering.filter_embeddings = filter_embeddings
    for number, name in ((2, "cluster"), (3, "assign_embeddings")):
        step = getattr(pipeline.clustering, name, None)  # not every kind of clustering has both
        if step is not None:
            setattr(pipeline.clustering, name, steps.told(step, number))


class _ClusteringSteps:
    """Tell how far the clustering is: voices are chosen, clustered, and all assigned.

    One run at a time uses a pipeline (`Diarizer`), so that there is one hook to tell.
    """

    COUNT = 3

    def __init__(self) -> None:
        self._hook: Callable[[], Callable[..., None] | None] = lambda: None

    def of_run(self, hook: Callable[..., None] | None) -> None:
        """Tell this hook from now on, for as long as the run lasts."""
        # Weakly: it holds the run's waveform, which nobody lets go of here.
        self._hook = (lambda: None) if hook is None else weakref.ref(hook)

    def tell(self, done: int) -> None:
        """Say that so many steps are over."""
        hook = self._hook()
        if hook is not None:
            hook("clustering", None, total=self.COUNT, completed=done)

    def told(self, step: Callable[..., Any], number: int) -> Callable[..., Any]:
        """Return a step that says when it is over."""

        def stepped(*arguments: Any, **options: Any) -> Any:
            found = step(*arguments, **options)
            self.tell(number)
            return found

        return stepped


def get_segmentations(
    pipeline: Pipeline, file: dict[str, Any], hook: Callable[..., None] | None = None
) -> SlidingWindowFeature:
    """Stand in for `SpeakerDiarization.get_segmentations`."""
    told = None if hook is None else partial(hook, "segmentation", None)
    return segment(pipeline._segmentation, file["waveform"], hook=told)


def reconstruct(
    segmentations: SlidingWindowFeature,
    hard_clusters: np.ndarray[Any, Any],
    count: SlidingWindowFeature,
) -> SlidingWindowFeature:
    """Stand in for `SpeakerDiarization.reconstruct`."""
    frames = count.sliding_window
    first_frames = np.array(
        [
            frames.closest_frame(segmentations.sliding_window[n].start + 0.5 * frames.duration)
            for n in range(len(segmentations.data))
        ]
    )
    activity = speaker_frames.activations(
        segmentations.data, hard_clusters, first_frames, n_frames=len(count.data)
    )
    return SlidingWindowFeature(speaker_frames.most_active(activity, count.data[:, 0]), frames)


def to_annotation(
    discrete_diarization: SlidingWindowFeature,
    min_duration_on: float = 0.0,
    min_duration_off: float = 0.0,
) -> Annotation:
    """Stand in for `SpeakerDiarizationMixin.to_annotation`; a turn lasts from middle to middle."""
    frames = discrete_diarization.sliding_window
    beyond = len(discrete_diarization.data) - 1
    annotation = Annotation()
    for track, run in enumerate(speaker_frames.runs(discrete_diarization.data)):
        start, end = frames[run.first].middle, frames[min(run.last, beyond)].middle
        if end - start > min_duration_on:
            annotation[Segment(start, end), track] = run.speaker
    return annotation.support(collar=min_duration_off) if min_duration_off > 0 else annotation
