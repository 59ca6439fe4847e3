"""Cut out what each voice of each window says, as CAM++ wants to hear it.

Only imported inside functions (by `diarizing`): importing torch takes seconds.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch  # noqa: TID253 - see above
from pyannote.core import SlidingWindow  # noqa: TID253 - see above

from pipeline import campplus
from pipeline.voice_reuse import Flags
from pipeline.waveform import SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Voice:
    """What one voice says in one window."""

    window: int
    number: int
    bands: torch.Tensor  # shape (n_frames, N_MELS), minus their mean


def cut_out(
    waveform: torch.Tensor,
    masks: Flags,
    frame: SlidingWindow,
    windows: range,
    *,
    repeated_to: int,
) -> Iterator[Voice]:
    """Cut out the voices of some neighbouring windows.

    Args:
        waveform: shape (n_samples,).
        masks: when each voice talks, shape (n_windows, n_frames, n_voices).
        frame: duration and step of the windows, which begin with the waveform.
        windows: which of them.
        repeated_to: a voice starts over where it ends, up to a multiple of so many mel frames, so
            that several are equally long.
    """
    if not masks[windows.start : windows.stop].any():
        return
    start = round(windows.start * frame.step * SAMPLE_RATE)
    end = round(((windows.stop - 1) * frame.step + frame.duration) * SAMPLE_RATE)
    sound = waveform[start:end]
    # The last window runs past the media's end. One more frame, so that every window has all its.
    room = end - start + campplus.WINDOW_SAMPLES - len(sound)
    bands = campplus.fbank(torch.nn.functional.pad(sound, (0, room)))
    n_bands = round(frame.duration * campplus.FBANK_HZ)
    nearest = np.arange(n_bands) * masks.shape[1] // n_bands
    for window in windows:
        first = round((window - windows.start) * frame.step * campplus.FBANK_HZ)
        for number, active in enumerate(masks[window][nearest].T):
            said = np.flatnonzero(active)
            if len(said):
                heard = bands[torch.from_numpy(first + said)]
                yield Voice(window, number, _repeated(heard - heard.mean(dim=0), repeated_to))


def batches(voices: list[Voice], size: int) -> Iterator[list[Voice]]:
    """Put together what has the same length, so that nothing is padded."""
    by_length = sorted(voices, key=lambda voice: len(voice.bands))
    for _, same in itertools.groupby(by_length, key=lambda voice: len(voice.bands)):
        alike = list(same)
        for first in range(0, len(alike), size):
            yield alike[first : first + size]


def _repeated(bands: torch.Tensor, multiple: int) -> torch.Tensor:
    n_frames = -(-len(bands) // multiple) * multiple
    return bands[torch.arange(n_frames) % len(bands)]
