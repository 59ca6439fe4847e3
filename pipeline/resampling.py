"""Turn decoded frames of any form into samples at the waveform's rate."""

from typing import TYPE_CHECKING

from pipeline.recording import Recording
from pipeline.waveform import SAMPLE_RATE

if TYPE_CHECKING:
    import av
    from av.audio.frame import AudioFrame

CHUNK_SAMPLES = 32_768  # two seconds: what is resampled into one array and written at once


class Resampler:
    """Makes what a recording takes of frames whose form may change at any moment."""

    def __init__(self, output: Recording) -> None:
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
        resampler, self._channels, first = self._started(frame)
        self._resampler = resampler
        self._drain(first)

    def _started(self, frame: "AudioFrame") -> "tuple[av.AudioResampler, int, list[AudioFrame]]":
        """Return a resampler, how many channels it gives, and what it made of a first frame."""
        import av

        if self._output.n_channels == 1:
            resampler = _resampler(layout="mono")
            try:
                return resampler, 1, resampler.resample(frame)
            except (av.FFmpegError, ValueError):
                # Channels without a meaning (eight tracks of a mixing desk): the mean of all.
                pass
        resampler = _resampler(layout=None)
        return resampler, frame.layout.nb_channels, resampler.resample(frame)

    def _drain(self, frames: "list[AudioFrame]") -> None:
        import numpy as np

        for frame in frames:
            samples = frame.to_ndarray().astype(np.float32).reshape(-1, self._channels)
            if self._channels != self._output.n_channels:
                # Their mean; where the number of channels changes in mid-stream, in the first.
                mean = samples.mean(axis=1)
                samples = np.zeros((len(mean), self._output.n_channels), dtype=np.float32)
                samples[:, 0] = mean
            self._output.write(samples)


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
