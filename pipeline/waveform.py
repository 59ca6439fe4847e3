"""Fix the one form in which every stage takes sound."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16_000  # Hz; what Whisper, wav2vec2 and pyannote all expect

# shape (n_samples,), mono, in [-1, 1], SAMPLE_RATE. It may be a read-only memory map of a file on
# disk, so a stage takes slices of it and never copies the whole.
Waveform: TypeAlias = npt.NDArray[np.float32]
