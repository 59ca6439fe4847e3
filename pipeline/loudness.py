"""Bring quiet sound to the level that models were trained on."""

import numpy as np

from pipeline.waveform import Waveform

# Silero finds nothing in speech that is 40 dB too quiet, and Whisper takes it for silence
# (measured on a meeting, 50 dB down: no-speech probability 0.94, and 0.33 once raised).
USUAL_PEAK = 0.25  # of speech in [-1, 1]
MOST_GAIN = 1000.0  # 60 dB: further down there is only rounding noise
_PEAK_QUANTILE = 0.9995  # not the highest sample, which may be one click


def at_usual_level(samples: Waveform) -> Waveform:
    """Raise quiet sound to where speech usually is; leave all other sound as it is.

    Returns:
        A copy, same shape, in [-1, 1].
    """
    copy = np.array(samples, dtype=np.float32)
    if not len(copy):
        return copy
    peak = float(np.quantile(np.abs(copy), _PEAK_QUANTILE))
    if 0 < peak < USUAL_PEAK:
        copy *= np.float32(min(USUAL_PEAK / peak, MOST_GAIN))
        np.clip(copy, -1.0, 1.0, out=copy)
    return copy
