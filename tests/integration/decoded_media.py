"""Decode media as a job does, and measure what is heard."""

from pathlib import Path

import numpy as np

from pipeline.decoding import DecodedMedia, decode
from pipeline.progress import unheard
from pipeline.waveform import SAMPLE_RATE, Waveform


def heard(media: Path, directory: Path, *, max_seconds: float = 60.0) -> DecodedMedia:
    """Decode media into a directory."""
    return decode(
        media, directory, max_seconds=max_seconds, timeout_seconds=60.0, on_progress=unheard
    )


def level(waveform: Waveform, begin: float, end: float) -> float:
    """Root mean square between two moments, in seconds."""
    part = waveform[round(begin * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    return float(np.sqrt(np.mean(np.square(part, dtype=np.float64))))


def pitch(waveform: Waveform) -> float:
    """The strongest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / len(waveform)
