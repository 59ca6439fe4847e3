"""What is decoded reaches the disk cut to the clip, clean, and one file a channel."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.recording import ClipEnded, Recording
from pipeline.waveform_file import WaveformFile, WaveformFull


class Disk:
    """Waveform files, and what is in them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.paths: list[Path] = []

    def open(self, count: int = 1, *, max_samples: int = 1000) -> list[WaveformFile]:
        self.paths = [self._folder / str(number) for number in range(count)]
        self._files = [path.open("w+b", buffering=0) for path in self.paths]
        return [WaveformFile(file.fileno(), max_samples=max_samples) for file in self._files]

    def samples(self, number: int = 0) -> list[float]:
        return [float(sample) for sample in np.fromfile(self.paths[number], dtype=np.float32)]

    def close(self) -> None:
        for file in self._files:
            file.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path)
    yield disk
    disk.close()


def mono(*samples: float) -> "np.typing.NDArray[np.float32]":
    return np.array(samples, dtype=np.float32)[:, np.newaxis]


def count(first: int, last: int) -> "np.typing.NDArray[np.float32]":
    return mono(*(number / 1000 for number in range(first, last)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=8),
    st.integers(0, 60),
    st.none() | st.integers(1, 60),
)
def test_only_the_clip_is_written_however_the_media_comes(
    disk: Disk, blocks: list[int], start: int, length: int | None
) -> None:
    end = None if length is None else start + length
    recording = Recording(disk.open(), start=start, end=end)
    total = sum(blocks)
    first = 0
    try:
        for size in blocks:
            recording.write(count(first, first + size))
            first += size
        ended = False
    except ClipEnded:
        ended = True

    kept = range(total)[start:end]
    assert disk.samples() == pytest.approx([number / 1000 for number in kept])
    assert recording.samples == len(kept)
    assert recording.position == (total if end is None else min(total, end))
    assert ended == (end is not None and total >= end)
    disk.close()


def test_silence_before_the_clip_is_not_written_and_within_it_is(disk: Disk) -> None:
    recording = Recording(disk.open(), start=10, end=20)
    recording.silence_until(12)
    recording.write(mono(0.5))
    with pytest.raises(ClipEnded):
        recording.silence_until(500)

    assert disk.samples() == [0.0, 0.0, 0.5] + [0.0] * 7
    assert recording.position == 20


def test_the_limit_counts_what_is_written_not_what_was_left_out(disk: Disk) -> None:
    recording = Recording(disk.open(max_samples=5), start=100)
    recording.write(count(0, 105))

    with pytest.raises(WaveformFull):
        recording.write(mono(0.1))
    assert recording.samples == 5


def test_samples_that_are_no_numbers_become_silence_and_are_counted(disk: Disk) -> None:
    recording = Recording(disk.open(), start=1)
    recording.write(mono(np.nan, 0.5, np.nan, np.inf, -np.inf, -7.0))

    assert disk.samples() == [0.5, 0.0, 0.0, 0.0, -1.0]
    assert recording.invalid_samples == 3


def test_each_channel_has_its_own_file(disk: Disk) -> None:
    recording = Recording(disk.open(8), start=1)
    recording.separate(2)
    recording.write(np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], dtype=np.float32))
    recording.silence_until(4)

    assert disk.samples(0) == pytest.approx([0.3, 0.5, 0.0])
    assert disk.samples(1) == pytest.approx([0.4, 0.6, 0.0])
    assert disk.samples(2) == []
    assert not recording.is_alike


@pytest.mark.parametrize("channels", [1, 9])
def test_one_channel_and_too_many_are_not_separated(disk: Disk, channels: int) -> None:
    recording = Recording(disk.open(8))
    recording.separate(channels)

    assert recording.n_channels == 1


def test_copies_are_alike_even_after_a_lossy_codec_and_other_voices_are_not(disk: Disk) -> None:
    random = np.random.default_rng(0)
    voice = 0.3 * random.standard_normal(500)
    other = 0.3 * random.standard_normal(500)
    noise = 0.001 * random.standard_normal(500)
    for second, alike in ((voice, True), (voice + noise, True), (voice + 0.1 * other, False)):
        recording = Recording(disk.open(2))
        recording.separate(2)
        recording.write(np.stack([voice, second], axis=1).astype(np.float32))

        assert recording.is_alike is alike
        disk.close()
