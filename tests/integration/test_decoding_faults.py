"""Damaged media gives what is there; what is no sound is refused for what it is."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from jobs.errors import CorruptMedia, NoAudioStream, TooLong, UnsupportedMedia
from tests.integration.decoded_media import heard, level
from tests.integration.wav_made import wav_header
from tests.media_made import silent_video, tone, write

MALFORMED = Path(__file__).parents[2] / "../shared/audio/malformed"
needs_malformed = pytest.mark.skipif(
    not MALFORMED.is_dir(), reason="the shared malformed media are not on this machine"
)


def test_damage_in_the_middle_costs_only_itself(tmp_path: Path) -> None:
    noise = 0.3 * np.random.default_rng(1).standard_normal((1, 160_000)).astype(np.float32)
    media = write(tmp_path / "a.m4a", noise, codec="aac", rate=16_000)
    damaged = bytearray(media.read_bytes())
    middle, length = len(damaged) // 2, len(damaged) // 8
    damaged[middle : middle + length] = bytes(length)
    media.write_bytes(damaged)

    decoded = heard(media, tmp_path)

    assert decoded.seconds == pytest.approx(10.0, abs=0.2)  # the end is where it was
    assert level(decoded.waveform, 1.0, 4.0) > 0.1
    assert level(decoded.waveform, 5.3, 6.0) == 0.0
    assert level(decoded.waveform, 7.0, 9.8) > 0.1
    assert [warning.code for warning in decoded.warnings] == ["damaged_media"]
    assert "seconds inside it are damaged" in decoded.warnings[0].message


def test_a_cut_off_file_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    media = write(tmp_path / "a.flac", tone(20, rate=16_000), codec="flac", rate=16_000)
    media.write_bytes(media.read_bytes()[: media.stat().st_size // 2])

    decoded = heard(media, tmp_path)

    assert 5 < decoded.seconds < 15
    (warning,) = decoded.warnings
    assert warning.code == "damaged_media"
    assert warning.stage == "decode"
    assert "of 20.0 seconds" in warning.message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.wav", b""),
        ("text.mp3", b"Dear all,\nplease find the recording attached.\n" * 40),
        ("page.mp3", b"<!doctype html><html><body>502 Bad Gateway</body></html>" * 20),
        ("paper.mp3", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n" * 40),
        ("noise.wav", np.random.default_rng(5).bytes(8192)),
        ("archive.mp3", b"PK\x03\x04" + np.random.default_rng(6).bytes(4000)),
    ],
)
def test_what_is_no_media_is_unsupported(tmp_path: Path, name: str, content: bytes) -> None:
    media = tmp_path / name
    media.write_bytes(content)

    with pytest.raises(UnsupportedMedia) as refusal:
        heard(media, tmp_path)

    assert str(tmp_path) not in refusal.value.message
    assert "ffmpeg" not in refusal.value.message.lower()


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp"])
def test_an_image_is_unsupported(tmp_path: Path, suffix: str) -> None:
    codec = {"png": "png", "jpg": "mjpeg", "gif": "gif", "bmp": "bmp"}[suffix]
    pixels = {"png": "rgb24", "jpg": "yuvj420p", "gif": "rgb8", "bmp": "bgr24"}[suffix]
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, pixels
    encoder.framerate = Fraction(1)
    picture = av.VideoFrame(64, 48, pixels)
    picture.pts = 0
    media = tmp_path / f"picture.{suffix}"
    media.write_bytes(b"".join(bytes(p) for p in [*encoder.encode(picture), *encoder.encode(None)]))

    with pytest.raises(UnsupportedMedia):
        heard(media, tmp_path)


def test_a_silent_film_has_no_audio_stream(tmp_path: Path) -> None:
    with pytest.raises(NoAudioStream):
        heard(silent_video(tmp_path / "a.mp4"), tmp_path)


def test_a_container_without_a_single_sample_is_corrupt(tmp_path: Path) -> None:
    media = tmp_path / "a.wav"
    media.write_bytes(wav_header(channels=1, rate=16_000, data_bytes=0))

    with pytest.raises(CorruptMedia):
        heard(media, tmp_path)


def test_a_film_whose_index_was_cut_off_is_corrupt(tmp_path: Path) -> None:
    media = write(tmp_path / "a.mp4", tone(5, rate=16_000), codec="aac", rate=16_000)
    media.write_bytes(media.read_bytes()[: media.stat().st_size // 2])

    with pytest.raises(CorruptMedia):
        heard(media, tmp_path)


def test_a_refused_media_leaves_no_waveform_behind(tmp_path: Path) -> None:
    media = write(tmp_path / "a.flac", tone(20, rate=16_000), codec="flac", rate=16_000)

    with pytest.raises(TooLong):
        heard(media, tmp_path, max_seconds=5)

    assert [path.name for path in tmp_path.iterdir()] == ["a.flac"]


def test_exactly_the_limit_is_not_too_long(tmp_path: Path) -> None:
    media = write(tmp_path / "a.wav", tone(5, rate=16_000), codec="pcm_s16le", rate=16_000)

    assert heard(media, tmp_path, max_seconds=5).seconds == 5.0


@needs_malformed
def test_a_header_of_a_stream_without_an_end_is_read_to_its_end(tmp_path: Path) -> None:
    decoded = heard(MALFORMED / "streaming_header_ffffffff.wav", tmp_path, max_seconds=60)

    assert decoded.seconds == pytest.approx(6.0, abs=0.1)
    assert decoded.warnings == ()


@needs_malformed
def test_half_a_wav_gives_half_and_a_warning(tmp_path: Path) -> None:
    decoded = heard(MALFORMED / "trunc50_header_says_full.wav", tmp_path)

    assert decoded.seconds == pytest.approx(3.0, abs=0.1)
    assert "only 3.0 of 6.0 seconds" in decoded.warnings[0].message


@needs_malformed
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("hls_local_file.mp3", UnsupportedMedia),
        ("html_error_page.mp3", UnsupportedMedia),
        ("random_8k.wav", UnsupportedMedia),
        ("zero_bytes.wav", UnsupportedMedia),
        ("trunc60_moov_at_end.mp4", CorruptMedia),
        ("video_only_no_audio.mp4", NoAudioStream),
    ],
)
def test_malformed_media_are_refused_for_what_they_are(
    tmp_path: Path, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        heard(MALFORMED / name, tmp_path)
