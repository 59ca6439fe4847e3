"""Write what is decoded to one waveform, or to one for each channel, and leave out the rest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.waveform_file import WaveformFile

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# Energy of the difference by the energy of all: 40 dB down. A lossy codec treats two copies of one
# sound a little differently; two telephones, or two microphones, differ by far more.
ALIKE = 1e-4


class ClipEnded(Exception):
    """All that was asked for is written."""


class Recording:
    """The waveforms of one media, on its own clock.

    Args:
        files: as many as channels may be separated, or one.
        start: sample of the media's clock at which the waveforms begin.
        end: sample before which they end; None: with the media.
    """

    def __init__(
        self, files: Sequence[WaveformFile], *, start: int = 0, end: int | None = None
    ) -> None:
        self._files = files
        self._start, self.end = start, end
        self._difference = self._energy = 0.0
        self.n_channels = 1  # that are written
        self.position = 0  # samples of the media's clock that were seen, written or not
        self.invalid_samples = 0  # that were no numbers; silence stands there

    @property
    def max_samples(self) -> int:
        """How many samples of the media's clock may be seen."""
        limit = self._start + self._files[0].max_samples
        return limit if self.end is None else min(self.end, limit)

    @property
    def samples(self) -> int:
        """How many were written, to each waveform."""
        return self._files[0].samples

    @property
    def is_alike(self) -> bool:
        """Whether all channels say the same."""
        return self._difference <= ALIKE * self._energy

    def separate(self, n_channels: int) -> None:
        """Give each channel its own waveform, if there are several and not too many."""
        if 1 < n_channels <= len(self._files):
            self.n_channels = n_channels

    def write(self, block: "npt.NDArray[np.float32]") -> None:
        """Append samples of the media, changed in place to be finite and in [-1, 1].

        Args:
            block: shape (n_samples, n_channels).

        Raises:
            ClipEnded: the rest is not asked for.
            WaveformFull: the limit is reached; what fits is written.
        """
        import numpy as np

        begin = max(0, self._start - self.position)
        stop = len(block) if self.end is None else self.end - self.position
        kept = block[begin:stop]
        self._move_to(self.position + len(block))
        invalid = ~np.isfinite(kept)
        if invalid.any():
            self.invalid_samples += int(invalid.any(axis=1).sum())
            kept[invalid] = 0.0
        np.clip(kept, -1.0, 1.0, out=kept)
        if self.n_channels > 1:
            self._difference += float(np.square(kept[:, 1:] - kept[:, :1]).sum())
            self._energy += float(np.square(kept).sum())
        for file, samples in zip(self._files, kept.T, strict=False):
            file.write(samples)
        self._stop_at_end()

    def silence_until(self, sample: int) -> None:
        """Leave silence up to a sample of the media's clock.

        Raises:
            ClipEnded: the rest is not asked for.
            WaveformFull: that sample is beyond the limit; nothing is written.
        """
        until = sample if self.end is None else min(sample, self.end)
        for file in self._files[: self.n_channels]:
            file.silence_until(until - self._start)
        self._move_to(max(self.position, sample))
        self._stop_at_end()

    def _move_to(self, position: int) -> None:
        self.position = position if self.end is None else min(position, self.end)

    def _stop_at_end(self) -> None:
        if self.end is not None and self.position >= self.end:
            raise ClipEnded
