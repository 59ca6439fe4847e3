"""Make media for tests: a tone that begins and ends at known moments, in any container."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]  # shape (n_channels, n_samples), in [-1, 1]


def tone(seconds: float, *, rate: int, hz: float = 440.0, level: float = 0.5) -> Samples:
    """A sine of one channel."""
    times = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * hz * times)).astype(np.float32)[np.newaxis]


def write(
    path: Path,
    samples: Samples,
    *,
    codec: str,
    rate: int,
    layout: str = "mono",
    container: str | None = None,
    start: float = 0.0,
    gaps: tuple[tuple[float, float], ...] = (),
    picture: bool = False,
) -> Path:
    """Encode samples.

    Args:
        path: its suffix names the container, unless `container` does.
        samples: as many channels as `layout` has.
        codec: FFmpeg's name of an encoder.
        rate: Hz.
        layout: of the channels.
        container: FFmpeg's name of a muxer.
        start: timestamp of the first sample, in seconds.
        gaps: (where, how long) the timestamps jump, in seconds of the samples.
        picture: add a video track that begins at zero and lasts as long as the sound.
    """
    with av.open(str(path), "w", format=container) as out:
        sound = out.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(sound, av.AudioStream)
        if codec.startswith("wma"):
            sound.bit_rate = 64_000  # its default is too little for the codec
        shape = sound.codec_context.format.name
        if picture:
            video = out.add_stream("mpeg4", rate=10)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            for index in range(round((start + samples.shape[1] / rate) * 10)):
                image = av.VideoFrame.from_ndarray(np.zeros((72, 64), np.uint8), "yuv420p")
                image.pts = index
                out.mux(video.encode(image))
            out.mux(video.encode(None))
        block = sound.codec_context.frame_size or 1024
        resampler = av.AudioResampler(format=shape, layout=layout, rate=rate)
        for begin in range(0, samples.shape[1], block):
            part = samples[:, begin : begin + block].T.reshape(1, -1)  # interleaved
            frame = av.AudioFrame.from_ndarray(part, format="flt", layout=layout)
            frame.sample_rate = rate
            frame.time_base = Fraction(1, rate)
            jump = sum(length for where, length in gaps if begin / rate >= where)
            frame.pts = begin + round((start + jump) * rate)
            for converted in resampler.resample(frame):
                out.mux(sound.encode(converted))
        out.mux(sound.encode(None))
    return path


def silent_video(path: Path, *, seconds: float = 1.0) -> Path:
    """Encode a video without a sound track."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for index in range(round(seconds * 10)):
            image = av.VideoFrame.from_ndarray(np.zeros((72, 64), np.uint8), "yuv420p")
            image.pts = index
            out.mux(video.encode(image))
        out.mux(video.encode(None))
    return path
