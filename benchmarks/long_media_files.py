"""Make recordings of any length out of short ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from pipeline.waveform import SAMPLE_RATE, Waveform

Samples = npt.NDArray[np.int16]  # shape (n_samples,)

BLOCK_SECONDS = 600.0  # with silences: each block begins with its share of the speech
_PAUSE_SECONDS = 0.5  # between two recordings
_FRAME_SAMPLES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class LongMedia:
    """How long a recording is, and how much of it is speech; the rest is digital silence."""

    seconds: float
    speech_seconds: float

    @property
    def title(self) -> str:
        """What tables call it."""
        if self.speech_seconds == self.seconds:
            return f"{_length(self.seconds)} of speech"
        return f"{_length(self.seconds)}, {_length(self.speech_seconds)} of it speech"


def write(media: LongMedia, spoken: Sequence[Waveform], path: Path) -> None:
    """Repeat recordings until the file is as long as wished; never more than a block in memory.

    Args:
        media: how long.
        spoken: real speech, each at least a second.
        path: ends in .flac, whose silence costs nothing.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        for samples in _frames(media, spoken):
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _frames(media: LongMedia, spoken: Sequence[Waveform]) -> Iterator[Samples]:
    pause = np.zeros(round(_PAUSE_SECONDS * SAMPLE_RATE), np.int16)
    said = np.concatenate(
        [each for waveform in spoken for each in ((waveform * 32767).astype(np.int16), pause)]
    )
    share = media.speech_seconds / media.seconds
    left = round(media.seconds * SAMPLE_RATE)
    position = 0
    while left:
        block = np.zeros(min(left, round(BLOCK_SECONDS * SAMPLE_RATE)), np.int16)
        n_spoken = round(len(block) * share)
        block[:n_spoken] = np.take(said, range(position, position + n_spoken), mode="wrap")
        position = (position + n_spoken) % len(said)
        for first in range(0, len(block), _FRAME_SAMPLES):
            yield block[first : first + _FRAME_SAMPLES]
        left -= len(block)


def _length(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes % 60 or not minutes else f"{minutes // 60} h"
