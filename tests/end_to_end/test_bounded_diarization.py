"""Diarization in bounded memory draws the turns that pyannote draws."""

import warnings
from typing import Any

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of torchcodec, which we do not decode with
    from pyannote.audio.pipelines import SpeakerDiarization
    from pyannote.core import SlidingWindow, SlidingWindowFeature

    from pipeline.bounded_diarization import reconstruct, to_annotation


def test_reconstruction_in_bounded_memory_equals_pyannotes() -> None:
    random = np.random.default_rng(0)
    windows = (random.random((12, 589, 3)) > 0.6).astype(np.float32)
    segmentations = SlidingWindowFeature(windows, SlidingWindow(start=0.0, duration=10.0, step=1.0))
    clusters = random.integers(-2, 4, (12, 3))
    clusters[clusters == -1] = -2
    frames = SlidingWindow(start=0.0, duration=0.0619375, step=0.016875)
    count = SpeakerDiarization.speaker_count(segmentations, frames, warm_up=(0.0, 0.0))

    theirs = SpeakerDiarization.reconstruct(Stock(), segmentations, clusters, count)
    ours = reconstruct(segmentations, clusters, count)
    same = (theirs.data > 0.5) == ours.data
    assert same.mean() > 0.98  # of equally active speakers either is right
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = (
            to_annotation(ours),
            SpeakerDiarization.to_annotation(
                SlidingWindowFeature(ours.data.astype(np.float32), ours.sliding_window)
            ),
        )
    assert [t[0] for t in drawn[0].itertracks()] == [t[0] for t in drawn[1].itertracks()]


class Stock:
    """What `SpeakerDiarization.reconstruct` asks of its object."""

    def to_diarization(self, *arguments: Any) -> Any:
        return SpeakerDiarization.to_diarization(*arguments)
