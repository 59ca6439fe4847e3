"""Write a waveform to disk as it comes."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BYTES_PER_SAMPLE = 4


class WaveformFull(Exception):
    """There is more sound than the waveform may hold."""


class WaveformFile:
    """The waveform as raw float32 in native byte order, growing on disk."""

    def __init__(self, descriptor: int, *, max_samples: int) -> None:
        self._descriptor = descriptor
        self.max_samples = max_samples
        self.samples = 0

    def write(self, samples: "npt.NDArray[np.float32]") -> None:
        """Append samples.

        Raises:
            WaveformFull: the limit is reached; what fits is written.
        """
        import numpy as np

        fitting = np.ascontiguousarray(samples[: self.max_samples - self.samples])
        view = fitting.data.cast("B")
        while view:
            view = view[os.write(self._descriptor, view) :]
        self.samples += len(fitting)
        if len(fitting) < len(samples):
            raise WaveformFull

    def silence_until(self, sample: int) -> None:
        """Leave a hole up to a sample; it reads as zeros and takes no space on the disk.

        Raises:
            WaveformFull: that sample is beyond the limit; nothing is written.
        """
        if sample > self.max_samples:
            raise WaveformFull
        if sample > self.samples:
            os.ftruncate(self._descriptor, sample * BYTES_PER_SAMPLE)
            os.lseek(self._descriptor, 0, os.SEEK_END)
            self.samples = sample
