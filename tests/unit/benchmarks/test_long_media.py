"""Recordings of any length out of short ones, and what is said of them."""

from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.long_media import goals, table
from benchmarks.long_media_files import BLOCK_SECONDS, LongMedia, write
from pipeline.waveform import SAMPLE_RATE

TONE = (np.sin(np.arange(3 * SAMPLE_RATE) / 20) / 2).astype(np.float32)


def decoded(path: Path) -> "np.ndarray[Any, np.dtype[np.int16]]":
    with av.open(str(path)) as container:
        return np.concatenate([each.to_ndarray()[0] for each in container.decode(audio=0)])


def test_silence_follows_the_speech_of_each_block(tmp_path: Path) -> None:
    media = LongMedia(seconds=1.5 * BLOCK_SECONDS, speech_seconds=0.15 * BLOCK_SECONDS)

    write(media, [TONE], tmp_path / "long.flac")

    sound = decoded(tmp_path / "long.flac").reshape(-1, SAMPLE_RATE)
    heard = np.flatnonzero(sound.any(axis=1)).tolist()
    assert len(sound) == media.seconds
    assert heard == [*range(60), *range(600, 630)]
    assert (tmp_path / "long.flac").stat().st_size < 2_000_000


def test_a_recording_goes_on_in_the_next_block_where_it_was_cut(tmp_path: Path) -> None:
    media = LongMedia(seconds=2 * BLOCK_SECONDS, speech_seconds=2.0)

    write(media, [TONE], tmp_path / "long.flac")

    sound = decoded(tmp_path / "long.flac")
    second = round(BLOCK_SECONDS) * SAMPLE_RATE
    said = np.concatenate([sound[:SAMPLE_RATE], sound[second : second + SAMPLE_RATE]])
    assert np.array_equal(said, (TONE[: 2 * SAMPLE_RATE] * 32767).astype(np.int16))


def test_the_longest_speech_is_held_against_ten_minutes_and_memory_against_the_worst() -> None:
    measured = {
        "runs": [
            _run(60, 60, processor_seconds=30.0, peak_gib=0.5),
            _run(600, 600, processor_seconds=100.0, peak_gib=1.0),
            _run(3600, 3600, processor_seconds=900.0, peak_gib=2.0),
            _run(36_000, 3600, processor_seconds=9000.0, peak_gib=5.0),
        ]
    }

    memory, flat = goals(measured)

    assert (memory.value, memory.is_reached) == (5.0, False)
    assert (flat.value, flat.is_reached) == (1.5, False)
    assert "1 h of speech, beside 10 min of speech" in flat.what
    assert "| 10 h, 1 h of it speech |" in table(measured)


def _run(seconds: float, speech: float, *, processor_seconds: float, peak_gib: float) -> Any:
    peak = peak_gib * 2**30
    return {
        "title": LongMedia(seconds=seconds, speech_seconds=speech).title,
        "media_seconds": seconds,
        "speech_seconds": speech,
        "seconds": processor_seconds / 2,
        "processor_seconds": processor_seconds,
        "longest_unheard_seconds": 1.0,
        "speakers": 2,
        "stages": {"diarize": {"seconds": 1.0, "peak_bytes": peak, "anonymous_bytes": peak / 2}},
    }
