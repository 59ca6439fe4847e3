"""Cut short clips out of recordings."""

import random
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.waveform import SAMPLE_RATE, Waveform

SHORTEST_SECONDS, LONGEST_SECONDS = 3.0, 10.0
_SEED = 0  # the same clips every time


def cut(recordings: Sequence[Path], into: Path, *, count: int) -> list[Path]:
    """Write clips of 3 to 10 seconds, from anywhere in the recordings in turn, as WAV files."""
    chance = random.Random(_SEED)  # noqa: S311 - which stretch is heard is no secret
    waveforms = [_decoded(recording) for recording in recordings]
    clips = []
    for number in range(count):
        waveform = waveforms[number % len(waveforms)]
        length = int(chance.uniform(SHORTEST_SECONDS, LONGEST_SECONDS) * SAMPLE_RATE)
        start = chance.randrange(max(1, len(waveform) - length))
        clips.append(into / f"clip-{number:02d}.wav")
        _write(clips[-1], waveform[start : start + length])
    return clips


def _decoded(media: Path) -> Waveform:
    from faster_whisper.audio import decode_audio

    waveform: Waveform = decode_audio(str(media), sampling_rate=SAMPLE_RATE)
    return waveform


def _write(path: Path, waveform: Waveform) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((np.clip(waveform, -1, 1) * 32767).astype("<i2").tobytes())
