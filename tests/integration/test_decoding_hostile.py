"""Media that lies or blows up ends as sound or as a typed error: nothing grows, nothing hangs."""

import time
from pathlib import Path

import numpy as np
import pytest

from jobs.errors import CorruptMedia, MediaError, TooLong
from pipeline.decoding import WAVEFORM_FILE, decode
from pipeline.waveform import SAMPLE_RATE
from tests.integration.decoded_media import heard
from tests.media_made import tone, write


def test_a_small_file_of_endless_silence_is_too_long_and_bounded_on_disk(tmp_path: Path) -> None:
    silence = np.zeros((1, 8_000 * 3600), np.float32)
    media = write(tmp_path / "bomb.flac", silence, codec="flac", rate=8_000)
    assert media.stat().st_size < 1_000_000  # 230 MB as a waveform
    sizes: list[int] = []

    with pytest.raises(TooLong, match="hours"):
        decode(
            media,
            tmp_path,
            max_seconds=60,
            timeout_seconds=60,
            on_progress=lambda *_: sizes.append((tmp_path / WAVEFORM_FILE).stat().st_size),
        )

    assert max(sizes) <= 60 * SAMPLE_RATE * 4


def test_a_leap_in_the_timestamps_is_no_way_to_fill_the_disk(tmp_path: Path) -> None:
    media = write(
        tmp_path / "leap.mkv",
        tone(2, rate=16_000),
        codec="pcm_s16le",
        rate=16_000,
        gaps=((1.0, 3000.0),),
    )

    with pytest.raises(TooLong):
        heard(media, tmp_path)


def test_a_broken_clock_does_not_make_a_short_recording_long(tmp_path: Path) -> None:
    media = write(
        tmp_path / "leap.mkv",
        tone(2, rate=16_000),
        codec="pcm_s16le",
        rate=16_000,
        gaps=((1.0, 100_000.0),),
    )

    decoded = heard(media, tmp_path)

    assert decoded.seconds == pytest.approx(2.0, abs=0.1)
    assert "timestamps break" in decoded.warnings[0].message


def test_a_long_wav_is_refused_from_its_header_alone(tmp_path: Path) -> None:
    media = write(
        tmp_path / "long.wav",
        np.zeros((1, 8_000 * 120), np.float32),
        codec="pcm_s16le",
        rate=8_000,
    )
    fractions: list[float] = []

    with pytest.raises(TooLong):
        decode(
            media,
            tmp_path,
            max_seconds=60,
            timeout_seconds=60,
            on_progress=lambda _, fraction: fractions.append(fraction),
        )

    assert max(fractions) == 0.0


def test_a_header_that_lies_about_days_does_not_refuse_a_short_recording(tmp_path: Path) -> None:
    media = write(tmp_path / "a.m4a", tone(3, rate=16_000), codec="aac", rate=16_000)
    content = bytearray(media.read_bytes())
    for box in (b"mvhd", b"mdhd"):  # version 0: flags, created, modified, timescale, duration
        at = content.index(box) + 4 + 4 + 4 + 4 + 4
        content[at : at + 4] = (0x7FFFFFF0).to_bytes(4, "big")
    at = content.index(b"elst") + 4 + 4 + 4
    content[at : at + 4] = (0x7FFFFFF0).to_bytes(4, "big")
    media.write_bytes(content)

    assert heard(media, tmp_path).seconds == pytest.approx(3.0, abs=0.2)


@pytest.mark.parametrize("table", [b"stsz", b"stts", b"stsc"])
def test_an_index_that_claims_millions_of_samples_ends_soon(tmp_path: Path, table: bytes) -> None:
    media = write(tmp_path / "a.m4a", tone(3, rate=16_000), codec="aac", rate=16_000)
    content = bytearray(media.read_bytes())
    at = content.index(table) + 8
    claim = (1).to_bytes(4, "big") if table == b"stsz" else b""
    claim += (0x0FFFFFFF).to_bytes(4, "big")
    if table == b"stts":
        claim = (1).to_bytes(4, "big") + (0x0FFFFFFF).to_bytes(4, "big")
    content[at : at + len(claim)] = claim
    media.write_bytes(content)
    began = time.monotonic()

    try:
        decoded = heard(media, tmp_path)
    except MediaError:
        pass
    else:
        assert decoded.seconds <= 60

    assert time.monotonic() - began < 30


def test_a_rate_that_no_recorder_has_is_corrupt(tmp_path: Path) -> None:
    media = write(tmp_path / "a.wav", tone(1, rate=16_000), codec="pcm_s16le", rate=16_000)
    content = bytearray(media.read_bytes())
    content[24:28] = (1).to_bytes(4, "little")
    media.write_bytes(content)

    with pytest.raises(CorruptMedia):
        heard(media, tmp_path, max_seconds=1e6)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("suffix", "codec"), [("m4a", "aac"), ("mkv", "flac"), ("ogg", "libopus"), ("avi", "mp2")]
)
def test_flipped_bits_end_as_sound_or_as_a_typed_error(
    tmp_path: Path, suffix: str, codec: str, seed: int
) -> None:
    media = write(tmp_path / f"a.{suffix}", tone(2, rate=48_000), codec=codec, rate=48_000)
    content = bytearray(media.read_bytes())
    random = np.random.default_rng(seed)
    for at in random.integers(0, len(content), 40):
        content[at] ^= 1 << int(random.integers(8))
    media.write_bytes(content)

    try:
        decoded = heard(media, tmp_path)
    except MediaError:
        return

    assert np.isfinite(decoded.waveform).all()
    assert np.abs(decoded.waveform).max() <= 1.0
