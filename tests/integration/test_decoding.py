"""Media of every kind becomes one kind of waveform, with the media's own clock."""

from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from jobs.stages import Stage
from pipeline.decoding import decode
from pipeline.waveform import SAMPLE_RATE
from tests.integration.decoded_media import heard, level, pitch
from tests.integration.wav_made import wav_header
from tests.media_made import tone, write

FORMATS = [  # (suffix, encoder, rate, muxer)
    ("mp3", "libmp3lame", 44_100, None),
    ("wav", "pcm_s16le", 8_000, None),
    ("wav", "pcm_s24le", 96_000, None),
    ("wav", "pcm_u8", 11_025, None),
    ("wav", "pcm_f32le", 48_000, None),
    ("wav", "pcm_mulaw", 8_000, None),
    ("flac", "flac", 22_050, None),
    ("m4a", "aac", 44_100, None),
    ("aac", "aac", 48_000, "adts"),
    ("ogg", "libopus", 48_000, None),
    ("opus", "libopus", 48_000, None),
    ("webm", "libopus", 48_000, None),
    ("wma", "wmav2", 44_100, "asf"),
    ("amr", "libopencore_amrnb", 8_000, None),
    ("3gp", "libopencore_amrnb", 8_000, None),
    ("mp4", "aac", 32_000, None),
    ("mov", "pcm_s16be", 44_100, None),
    ("mkv", "flac", 48_000, None),
    ("avi", "libmp3lame", 44_100, None),
    ("mpg", "mp2", 44_100, None),
    ("ts", "aac", 44_100, None),
    ("aiff", "pcm_s16be", 44_100, None),
    ("caf", "alac", 44_100, None),
    ("au", "pcm_mulaw", 8_000, None),
    ("ac3", "ac3", 48_000, None),
    ("flv", "aac", 44_100, None),
    ("w64", "pcm_s16le", 16_000, None),
    ("wv", "wavpack", 44_100, None),
]


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "muxer"), FORMATS, ids=[f"{f[0]}-{f[1]}" for f in FORMATS]
)
def test_every_common_format_gives_the_same_tone(
    tmp_path: Path, suffix: str, codec: str, rate: int, muxer: str | None
) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this build of FFmpeg has no encoder {codec}")
    media = write(
        tmp_path / f"media.{suffix}", tone(3, rate=rate), codec=codec, rate=rate, container=muxer
    )

    decoded = heard(media, tmp_path)

    assert decoded.seconds == pytest.approx(3.0, abs=0.15)  # lossy codecs pad to whole frames
    assert decoded.waveform.dtype == np.float32
    assert decoded.waveform.shape == (round(decoded.seconds * SAMPLE_RATE),)
    assert pitch(decoded.waveform) == pytest.approx(440, abs=2)
    assert level(decoded.waveform, 0.5, 2.5) == pytest.approx(0.5 / np.sqrt(2), rel=0.2)
    assert decoded.warnings == ()
    assert decoded.sample_rate == rate


def test_the_waveform_is_a_read_only_map_of_a_file(tmp_path: Path) -> None:
    media = write(tmp_path / "a.flac", tone(1, rate=16_000), codec="flac", rate=16_000)

    waveform = heard(media, tmp_path).waveform

    assert isinstance(waveform, np.memmap)
    assert not waveform.flags.writeable
    assert Path(str(waveform.filename)).parent == tmp_path


def test_decoding_works_from_any_directory_and_needs_no_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = write(tmp_path / "a.wav", tone(1, rate=16_000), codec="pcm_s16le", rate=16_000)
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    assert heard(media, tmp_path).seconds == pytest.approx(1.0)


@pytest.mark.parametrize("layout", ["stereo", "5.1", "7.1"])
def test_every_channel_is_heard_and_full_scale_is_not_clipped(tmp_path: Path, layout: str) -> None:
    channels = av.AudioLayout(layout).nb_channels
    loud = np.repeat(tone(2, rate=16_000, level=0.99), channels, axis=0)
    media = write(tmp_path / "a.wav", loud, codec="pcm_s16le", rate=16_000, layout=layout)

    waveform = heard(media, tmp_path).waveform

    # A clipped sine has a higher mean square than 1/sqrt(2) of its peak.
    assert level(waveform, 0.2, 1.8) == pytest.approx(np.abs(waveform).max() / np.sqrt(2), rel=0.02)


def test_speech_in_the_centre_channel_survives_the_downmix(tmp_path: Path) -> None:
    surround = np.zeros((6, 32_000), np.float32)
    surround[2] = tone(2, rate=16_000)  # FL FR FC LFE BL BR
    media = write(tmp_path / "a.flac", surround, codec="flac", rate=16_000, layout="5.1")

    waveform = heard(media, tmp_path).waveform

    assert pitch(waveform) == pytest.approx(440, abs=2)
    assert level(waveform, 0.2, 1.8) > 0.05


def test_eight_channels_without_names_are_averaged(tmp_path: Path) -> None:
    tracks = np.zeros((8, 32_000), np.float32)
    tracks[5] = tone(2, rate=16_000, level=0.8)
    media = tmp_path / "a.wav"
    pcm = (tracks.T * 32767).astype("<i2").tobytes()
    media.write_bytes(wav_header(channels=8, rate=16_000, data_bytes=len(pcm)) + pcm)

    waveform = heard(media, tmp_path).waveform

    assert np.abs(waveform).max() == pytest.approx(0.1, abs=0.01)


def test_samples_that_are_no_numbers_become_finite(tmp_path: Path) -> None:
    samples = tone(1, rate=16_000)[0]
    samples[1000:1010] = np.nan
    samples[2000:2010] = np.inf
    samples[3000:3010] = -7.0
    pcm = samples.astype("<f4").tobytes()
    media = tmp_path / "a.wav"
    media.write_bytes(
        wav_header(channels=1, rate=16_000, data_bytes=len(pcm), bits=32, tag=3) + pcm
    )

    decoded = heard(media, tmp_path)
    waveform = decoded.waveform

    assert np.isfinite(waveform).all()
    assert np.abs(waveform).max() <= 1.0
    assert [warning.code for warning in decoded.warnings] == ["invalid_samples"]
    assert "0.001 seconds" in decoded.warnings[0].message
    assert level(waveform, 0.5, 0.9) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


def test_a_change_of_rate_and_channels_in_mid_stream_is_followed(tmp_path: Path) -> None:
    first = write(tmp_path / "1.mp3", tone(2, rate=44_100), codec="libmp3lame", rate=44_100)
    stereo = np.repeat(tone(2, rate=22_050), 2, axis=0)
    second = write(tmp_path / "2.mp3", stereo, codec="libmp3lame", rate=22_050, layout="stereo")
    media = tmp_path / "both.mp3"
    media.write_bytes(first.read_bytes() + second.read_bytes())

    decoded = heard(media, tmp_path)

    assert decoded.seconds == pytest.approx(4.0, abs=0.3)
    assert pitch(decoded.waveform[: 2 * SAMPLE_RATE]) == pytest.approx(440, abs=2)
    assert pitch(decoded.waveform[-SAMPLE_RATE:]) == pytest.approx(440, abs=2)


def test_sound_that_starts_late_in_a_film_keeps_the_films_clock(tmp_path: Path) -> None:
    media = write(
        tmp_path / "film.mkv",
        tone(2, rate=16_000),
        codec="flac",
        rate=16_000,
        start=1.5,
        picture=True,
    )

    decoded = heard(media, tmp_path)

    assert decoded.seconds == pytest.approx(3.5, abs=0.05)
    assert level(decoded.waveform, 0.0, 1.45) == 0.0
    assert level(decoded.waveform, 1.6, 3.4) > 0.3


def test_a_hole_in_the_timestamps_is_filled_with_silence(tmp_path: Path) -> None:
    media = write(
        tmp_path / "hole.mkv",
        tone(2, rate=16_000),
        codec="pcm_s16le",
        rate=16_000,
        gaps=((1.0, 5.0),),
    )

    decoded = heard(media, tmp_path)

    assert decoded.seconds == pytest.approx(7.0, abs=0.1)
    assert level(decoded.waveform, 0.1, 0.9) > 0.3
    assert level(decoded.waveform, 1.2, 5.8) == 0.0
    assert level(decoded.waveform, 6.1, 6.9) > 0.3
    assert [warning.code for warning in decoded.warnings] == ["holes_in_media"]
    assert "5.0 seconds" in decoded.warnings[0].message


def test_progress_rises_to_one(tmp_path: Path) -> None:
    media = write(tmp_path / "a.wav", tone(5, rate=16_000), codec="pcm_s16le", rate=16_000)
    seen: list[tuple[Stage, float]] = []

    decode(
        media,
        tmp_path,
        max_seconds=60,
        timeout_seconds=60,
        on_progress=lambda stage, fraction: seen.append((stage, fraction)),
    )

    assert {stage for stage, _ in seen} == {Stage.DECODE}
    assert [fraction for _, fraction in seen] == sorted(fraction for _, fraction in seen)
    assert seen[-1][1] == 1.0


def test_the_stage_begins_before_its_process_does(tmp_path: Path) -> None:
    media = write(tmp_path / "a.wav", tone(1, rate=16_000), codec="pcm_s16le", rate=16_000)
    before = set(psutil.Process().children())
    seen: list[set[psutil.Process]] = []

    decode(
        media,
        tmp_path,
        max_seconds=60,
        timeout_seconds=60,
        on_progress=lambda *_: seen.append(set(psutil.Process().children()) - before),
    )

    assert seen[0] == set()
    assert any(seen)
