"""Only the clip is decoded to disk, and it is what the whole media has there."""

from pathlib import Path

import numpy as np
import pytest

from jobs.errors import TooLong, UnsupportedMedia
from pipeline.clip import Clip
from pipeline.decoding import WAVEFORM_FILE, DecodedMedia, decode
from pipeline.progress import unheard
from pipeline.waveform import SAMPLE_RATE
from tests.media_made import write


def decoded(
    media: Path, directory: Path, clip: Clip | None = None, *, max_seconds: float = 600.0
) -> DecodedMedia:
    return decode(
        media,
        directory,
        max_seconds=max_seconds,
        timeout_seconds=60.0,
        on_progress=unheard,
        clip=clip or Clip(),
    )


@pytest.fixture(
    params=[("mp3", "libmp3lame"), ("m4a", "aac"), ("flac", "flac"), ("ogg", "libopus")]
)
def noise(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Ten seconds that are nowhere alike."""
    suffix, codec = request.param
    samples = 0.2 * np.random.default_rng(3).standard_normal((1, 480_000)).astype(np.float32)
    return write(tmp_path / f"noise.{suffix}", samples, codec=codec, rate=48_000)


@pytest.fixture
def flac(tmp_path: Path) -> Path:
    samples = 0.2 * np.random.default_rng(3).standard_normal((1, 480_000)).astype(np.float32)
    return write(tmp_path / "noise.flac", samples, codec="flac", rate=48_000)


@pytest.mark.parametrize(("start", "end"), [(0.0, 3.0), (2.5, 6.25), (7.001, None)])
def test_a_clip_is_sample_by_sample_what_the_whole_has_there(
    tmp_path: Path, noise: Path, start: float, end: float | None
) -> None:
    whole = np.array(decoded(noise, tmp_path).waveform)

    part = decoded(noise, tmp_path, Clip(start=start, end=end))

    first, last = round(start * SAMPLE_RATE), None if end is None else round(end * SAMPLE_RATE)
    np.testing.assert_array_equal(part.waveform, whole[first:last])
    assert part.start == start
    assert part.seconds == (len(whole) / SAMPLE_RATE if end is None else end)
    assert part.warnings == ()
    assert (tmp_path / WAVEFORM_FILE).stat().st_size == part.waveform.nbytes


def test_sound_that_starts_late_keeps_the_films_clock_in_a_clip(tmp_path: Path) -> None:
    media = write(
        tmp_path / "film.mkv",
        np.full((1, 32_000), 0.5, np.float32),
        codec="flac",
        rate=16_000,
        start=1.5,
        picture=True,
    )

    waveform = decoded(media, tmp_path, Clip(start=1.0, end=2.0)).waveform

    assert np.abs(waveform[:7_900]).max() == 0.0
    assert np.abs(waveform[8_100:]).min() > 0.4


def test_the_rest_of_the_media_is_not_even_read(tmp_path: Path, flac: Path) -> None:
    content = bytearray(flac.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    flac.write_bytes(content)

    assert decoded(flac, tmp_path, Clip(end=2.0)).warnings == ()
    assert [w.code for w in decoded(flac, tmp_path).warnings] == ["damaged_media"]


def test_media_that_ends_before_the_clip_does_gives_what_there_is(
    tmp_path: Path, flac: Path
) -> None:
    part = decoded(flac, tmp_path, Clip(start=8.0, end=60.0))

    assert part.waveform.shape == (2 * SAMPLE_RATE,)
    assert part.seconds == 10.0
    assert part.warnings == ()


def test_media_that_was_cut_off_within_the_clip_says_so(tmp_path: Path, flac: Path) -> None:
    flac.write_bytes(flac.read_bytes()[: flac.stat().st_size // 2])

    part = decoded(flac, tmp_path, Clip(start=1.0, end=9.0))

    assert [warning.code for warning in part.warnings] == ["damaged_media"]


def test_a_clip_behind_the_end_is_nothing_and_a_warning(tmp_path: Path, flac: Path) -> None:
    part = decoded(flac, tmp_path, Clip(start=10.0, end=20.0))

    assert part.waveform.shape == (0,)
    assert part.seconds == 10.0
    (warning,) = part.warnings
    assert (warning.code, warning.stage) == ("clip_outside_media", "decode")
    assert "10.0 seconds long" in warning.message


def test_what_is_no_media_is_refused_whatever_the_clip(tmp_path: Path) -> None:
    media = tmp_path / "a.mp3"
    media.write_bytes(b"Dear all,\nplease find the recording attached.\n" * 40)

    with pytest.raises(UnsupportedMedia):
        decoded(media, tmp_path, Clip(start=5.0, end=9.0))


def test_the_limit_is_on_the_clip(tmp_path: Path, flac: Path) -> None:
    assert decoded(flac, tmp_path, Clip(start=6.0), max_seconds=4.0).seconds == 10.0
    assert decoded(flac, tmp_path, Clip(start=2.0, end=6.0), max_seconds=4.0).seconds == 6.0

    with pytest.raises(TooLong, match="clip_start"):
        decoded(flac, tmp_path, Clip(start=5.0), max_seconds=4.0)
    with pytest.raises(TooLong):
        decoded(flac, tmp_path, Clip(start=1.0, end=9.0), max_seconds=4.0)


def test_a_long_wav_is_not_refused_for_what_the_clip_leaves_out(tmp_path: Path) -> None:
    media = write(
        tmp_path / "a.wav", np.zeros((1, 160_000), np.float32), codec="pcm_s16le", rate=16_000
    )

    assert decoded(media, tmp_path, Clip(start=7.0), max_seconds=4.0).seconds == 10.0
    with pytest.raises(TooLong):
        decoded(media, tmp_path, Clip(start=5.0), max_seconds=4.0)
