"""Find when each voice of each window talks, without looking at long silences.

Only imported inside functions (by `diarizing`): importing pyannote takes seconds.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch  # noqa: TID253 - see above
from pyannote.audio import Inference  # noqa: TID253 - see above
from pyannote.audio.utils.reproducibility import fix_reproducibility  # noqa: TID253 - see above
from pyannote.core import SlidingWindow, SlidingWindowFeature  # noqa: TID253 - see above

from pipeline.waveform import SAMPLE_RATE

# From one window of the first look to the next, of a window's length. Two of them show everything
# that a window between them shows, all of it well inside of at least one.
FIRST_LOOK_STEP = 0.5

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def segment(
    inference: Inference, waveform: torch.Tensor, *, hook: Callable[..., None] | None
) -> SlidingWindowFeature:
    """Pass a waveform through a segmentation network window by window, in place of pyannote.

    A window between two in which nobody talks is taken to be as empty as they are.

    Args:
        inference: of a powerset network, whose output is 0 or 1.
        waveform: shape (1, n_samples), 16 kHz, at least one sample.
        hook: told after every batch that `completed` of `total` windows are done.

    Returns:
        shape (n_windows, n_frames, n_voices); the last window may reach past the media's end.
    """
    fix_reproducibility(inference.device)
    windows = _Windows(inference, waveform)
    stride = max(1, int(FIRST_LOOK_STEP * inference.duration / inference.step))
    first = np.unique(np.append(np.arange(0, windows.count, stride), windows.count - 1))
    data = windows.nothing()
    completed = 0
    for batch in _batches(first, inference.batch_size):
        data[batch] = windows.look(batch)
        completed += len(batch)
        _tell(hook, completed, windows.count)
    rest = between(first, data[first].any(axis=(1, 2)))
    completed = windows.count - len(rest)
    for batch in _batches(rest, inference.batch_size):
        data[batch] = windows.look(batch)
        completed += len(batch)
        _tell(hook, completed, windows.count)
    frames = SlidingWindow(start=0.0, duration=inference.duration, step=inference.step)
    return SlidingWindowFeature(data, frames)


def between(looked_at: Indices, somebody_talks: Flags) -> Indices:
    """List the windows that have somebody talking in the nearest window looked at on a side.

    Args:
        looked_at: ascending, from the first window to the last.
        somebody_talks: in each of them.
    """
    return np.concatenate(
        [
            np.empty(0, dtype=np.int64),
            *(
                np.arange(looked_at[n] + 1, looked_at[n + 1])
                for n in np.flatnonzero(somebody_talks[:-1] | somebody_talks[1:])
            ),
        ]
    )


class _Windows:
    """A waveform, cut as pyannote's `Inference.slide` does."""

    def __init__(self, inference: Inference, waveform: torch.Tensor) -> None:
        self._inference = inference
        self._waveform = waveform
        self._size = inference.model.audio.get_num_samples(inference.duration)
        self._step = round(inference.step * SAMPLE_RATE)
        # The last one may be incomplete.
        self.count = 1 + max(0, math.ceil((waveform.shape[1] - self._size) / self._step))

    def nothing(self) -> Floats:
        """Return what would be found if nobody talked in any window."""
        model = self._inference.model
        shape = self.count, model.num_frames(self._size), len(model.specifications.classes)
        return np.zeros(shape, dtype=np.float32)

    def look(self, numbers: Indices) -> Floats:
        """Pass some windows through the network."""
        chunks = torch.stack([self._cut(n * self._step) for n in numbers.tolist()])
        found: Floats = self._inference.infer(chunks)
        return found

    def _cut(self, start: int) -> torch.Tensor:
        chunk = self._waveform[:, start : start + self._size]
        return torch.nn.functional.pad(chunk, (0, self._size - chunk.shape[1]))


def _batches(windows: Indices, size: int) -> Iterator[Indices]:
    for first in range(0, len(windows), size):
        yield windows[first : first + size]


def _tell(hook: Callable[..., None] | None, completed: int, total: int) -> None:
    if hook is not None:
        hook(completed=completed, total=total)
