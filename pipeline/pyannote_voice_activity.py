"""Run WhisperX's pyannote model for voice activity, block by block."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.waveform import SAMPLE_RATE, Waveform

FRAME_SECONDS = 0.02  # its scores are read off at this step; its own is 0.016875 s
_BLOCK_SECONDS = 60.0  # two seconds of work on a slow CPU, 4 MB
_MARGIN_SECONDS = 10.0  # twice what the model sees at once, so that blocks leave no seam


def pyannote_blocks(waveform: Waveform, *, device: str) -> Iterator[npt.NDArray[np.float32]]:
    """Judge a waveform every FRAME_SECONDS.

    Args:
        waveform: any length, never copied as a whole.
        device: cpu or cuda.

    Yields:
        The probability of speech: shape (n_frames,), 0 to 1, for one block after the other.
    """
    import torch

    pipeline = _load(device)
    seconds = len(waveform) / SAMPLE_RATE
    for first in np.arange(0.0, seconds, _BLOCK_SECONDS):
        last = min(first + _BLOCK_SECONDS, seconds)
        start = max(0.0, first - _MARGIN_SECONDS)
        end = min(last + _MARGIN_SECONDS, seconds)
        # A copy: torch refuses to share a read-only memory map without a warning.
        samples = np.array(waveform[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)])
        scores = pipeline({"waveform": torch.from_numpy(samples)[None], "sample_rate": SAMPLE_RATE})
        frames = scores.sliding_window
        # Frames of the media, not of the block: steps that do not divide it would add up.
        times = np.arange(round(first / FRAME_SECONDS), np.ceil(last / FRAME_SECONDS - 1e-6))
        indices = (times * FRAME_SECONDS - start - frames.start) / frames.step
        yield np.asarray(
            scores.data[np.clip(indices.astype(int), 0, len(scores.data) - 1), 0], dtype=np.float32
        )


def _load(device: str) -> Any:
    """Load the weights that WhisperX carries: no network, no token.

    They are a pickle, which pyannote loads with weights_only=False: fit for a file that comes with
    an installed package, and for nothing else. Loaded anew for each job (0.5 s, 18 MB), as the
    pipeline is not known to be safe for two threads.
    """
    with warnings.catch_warnings():
        # Decoding is ours; pyannote only ever gets waveforms.
        warnings.filterwarnings("ignore", message="\\s*torchcodec is not installed correctly")
        from pyannote.audio.telemetry import set_telemetry_metrics
        from whisperx.vads.pyannote import load_vad_model

    set_telemetry_metrics(False)  # nothing phones home
    return load_vad_model(device)
