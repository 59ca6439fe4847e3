"""Turn decoded frames of any form into the waveform's, on disk as they come."""

import os
from typing import TYPE_CHECKING

from pipeline.waveform import SAMPLE_RATE

if TYPE_CHECKING:
    import av
    import numpy as np
    import numpy.typing as npt
    from av.audio.frame import AudioFrame

CHUNK_SAMPLES = 32_768  # two seconds: what is resampled into one array and written at once
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
        """Append samples in place; what is no number becomes silence, what is too loud is clipped.

        Raises:
            WaveformFull: the limit is reached; what fits is written.
        """
        import numpy as np

        np.nan_to_num(samples, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)
        np.clip(samples, -1.0, 1.0, out=samples)
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


class MonoResampler:
    """Makes mono at SAMPLE_RATE of frames whose form may change at any moment."""

    def __init__(self, output: WaveformFile) -> None:
        self._output = output
        self._resampler: av.AudioResampler | None = None
        self._form: tuple[object, ...] = ()  # of the frames it takes
        self._channels = 1  # of the frames it gives

    def push(self, frame: "AudioFrame") -> None:
        """Take a frame; some of it may stay inside until the next one or a flush.

        Raises:
            av.FFmpegError: swresample knows no way from this form to ours.
            WaveformFull: the limit is reached.
        """
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != self._form:
            self.flush()
            self._form = form
        if self._resampler is None:
            self._start(frame)
        else:
            self._drain(self._resampler.resample(frame))

    def flush(self) -> None:
        """Write what is left inside."""
        if self._resampler is not None:
            ending, self._resampler = self._resampler, None
            self._drain(ending.resample(None))

    def _start(self, frame: "AudioFrame") -> None:
        import av

        resampler, self._channels = _resampler(layout="mono"), 1
        try:
            first = resampler.resample(frame)
        except (av.FFmpegError, ValueError):
            # Channels without a meaning (eight tracks of a mixing desk): the mean of all.
            resampler, self._channels = _resampler(layout=None), frame.layout.nb_channels
            first = resampler.resample(frame)
        self._resampler = resampler
        self._drain(first)

    def _drain(self, frames: "list[AudioFrame]") -> None:
        import numpy as np

        for frame in frames:
            samples = frame.to_ndarray().astype(np.float32).reshape(-1, self._channels)
            self._output.write(samples.mean(axis=1) if self._channels > 1 else samples[:, 0])


def _resampler(*, layout: str | None) -> "av.AudioResampler":
    import av

    return av.AudioResampler(
        format="flt",
        layout=layout,
        rate=SAMPLE_RATE,
        frame_size=CHUNK_SAMPLES,
        # As floats, swresample adds channels up without making room for the sum, and a loud
        # stereo recording would be clipped; with this it scales, as it does for integers.
        options={"rematrix_maxval": "1.0"},
    )
