"""Each channel becomes a waveform of its own, where the channels can be told apart."""

from pathlib import Path

import numpy as np
import pytest

from jobs.errors import TooLong
from jobs.stages import Stage
from pipeline.clip import WHOLE, Clip
from pipeline.decoding import DecodedMedia, decode
from pipeline.progress import unheard
from pipeline.waveform import SAMPLE_RATE, Waveform
from tests.media_made import Samples, tone, write


def separated(
    media: Path, directory: Path, *, clip: Clip = WHOLE, max_seconds: float = 60.0
) -> DecodedMedia:
    return decode(
        media,
        directory,
        max_seconds=max_seconds,
        timeout_seconds=60.0,
        on_progress=unheard,
        clip=clip,
        separate=True,
    )


def pitch(waveform: Waveform) -> float:
    """The strongest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / len(waveform)


def tones(*pitches: float, rate: int = 44_100, seconds: float = 3.0) -> Samples:
    return np.concatenate([tone(seconds, rate=rate, hz=hz) for hz in pitches])


def waveform_files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("waveform*"))


@pytest.mark.parametrize(
    ("suffix", "codec"), [("wav", "pcm_s16le"), ("mp3", "libmp3lame"), ("m4a", "aac")]
)
def test_two_channels_give_two_waveforms(tmp_path: Path, suffix: str, codec: str) -> None:
    media = write(
        tmp_path / f"a.{suffix}", tones(440, 1000), codec=codec, rate=44_100, layout="stereo"
    )

    found = separated(media, tmp_path)

    assert [pitch(waveform) for waveform in found.waveforms] == pytest.approx([440, 1000], abs=2)
    assert len({waveform.shape for waveform in found.waveforms}) == 1
    assert all(isinstance(waveform, np.memmap) for waveform in found.waveforms)
    assert len(waveform_files(tmp_path)) == 2
    assert found.channels == 2
    assert found.warnings == ()


def test_eight_channels_without_names_are_separated(tmp_path: Path) -> None:
    pitches = [300 + 100 * number for number in range(8)]
    media = tmp_path / "a.wav"
    media.write_bytes(unnamed_channels(tones(*pitches, rate=16_000)))

    found = separated(media, tmp_path)

    assert [pitch(waveform) for waveform in found.waveforms] == pytest.approx(pitches, abs=2)


def test_a_channel_that_is_silent_stays_a_channel(tmp_path: Path) -> None:
    samples = tones(440, 440)
    samples[0] = 0.0
    media = write(tmp_path / "a.flac", samples, codec="flac", rate=44_100, layout="stereo")

    silent, loud = separated(media, tmp_path).waveforms

    assert np.abs(silent).max() == 0.0
    assert np.abs(loud).max() > 0.4


def test_a_clip_of_all_channels_is_the_same_moment(tmp_path: Path) -> None:
    media = write(tmp_path / "a.flac", tones(440, 1000), codec="flac", rate=44_100, layout="stereo")
    whole = [np.array(waveform) for waveform in separated(media, tmp_path).waveforms]

    part = separated(media, tmp_path, clip=Clip(start=1.0, end=2.0)).waveforms

    for waveform, all_of_it in zip(part, whole, strict=True):
        np.testing.assert_array_equal(waveform, all_of_it[SAMPLE_RATE : 2 * SAMPLE_RATE])


@pytest.mark.parametrize(
    ("samples", "layout", "codec", "why"),
    [
        (tones(440), "mono", "flac", "only one"),
        (tones(440, 440), "stereo", "flac", "all 2 hold the same"),
        (tones(440, 440), "stereo", "libmp3lame", "all 2 hold the same"),
    ],
)
def test_channels_that_say_nothing_of_their_own_are_one_with_a_warning(
    tmp_path: Path, samples: Samples, layout: str, codec: str, why: str
) -> None:
    suffix = "mp3" if codec == "libmp3lame" else codec
    media = write(tmp_path / f"a.{suffix}", samples, codec=codec, rate=44_100, layout=layout)

    found = separated(media, tmp_path)

    assert pitch(found.waveform) == pytest.approx(440, abs=2)
    assert np.abs(found.waveform).max() == pytest.approx(0.5, rel=0.1)
    (warning,) = found.warnings
    assert (warning.code, warning.stage) == ("channels_not_separate", "decode")
    assert why in warning.message
    assert len(waveform_files(tmp_path)) == 1


def test_more_channels_than_a_conversation_has_are_mixed(tmp_path: Path) -> None:
    media = tmp_path / "a.wav"
    media.write_bytes(unnamed_channels(tones(*range(200, 1100, 100), rate=16_000)))

    found = separated(media, tmp_path)

    assert len(found.waveforms) == 1
    assert "it has 9, and at most 8" in found.warnings[0].message


def test_a_part_with_one_channel_only_is_not_said_twice(tmp_path: Path) -> None:
    stereo = write(
        tmp_path / "1.mp3", tones(440, 1000), codec="libmp3lame", rate=44_100, layout="stereo"
    )
    mono = write(tmp_path / "2.mp3", tones(700), codec="libmp3lame", rate=44_100)
    media = tmp_path / "both.mp3"
    media.write_bytes(stereo.read_bytes() + mono.read_bytes())

    first, second = separated(media, tmp_path).waveforms

    assert pitch(second[: 2 * SAMPLE_RATE]) == pytest.approx(1000, abs=2)
    assert pitch(first[-2 * SAMPLE_RATE :]) == pytest.approx(700, abs=2)
    assert np.abs(second[-2 * SAMPLE_RATE :]).max() == 0.0


def test_invalid_samples_of_any_channel_are_counted_once(tmp_path: Path) -> None:
    samples = tones(440, 1000, rate=16_000)
    samples[:, 8_000:16_000] = np.nan
    media = tmp_path / "a.wav"
    media.write_bytes(unnamed_channels(samples, floats=True))

    found = separated(media, tmp_path)

    (warning,) = found.warnings
    assert (warning.code, warning.stage) == ("invalid_samples", str(Stage.DECODE))
    assert "0.500 seconds" in warning.message
    assert all(np.abs(waveform[8_000:16_000]).max() == 0.0 for waveform in found.waveforms)


def test_refused_media_leave_no_waveform_of_any_channel(tmp_path: Path) -> None:
    media = write(tmp_path / "a.flac", tones(440, 1000), codec="flac", rate=44_100, layout="stereo")

    with pytest.raises(TooLong):
        separated(media, tmp_path, max_seconds=1)

    assert waveform_files(tmp_path) == []


def unnamed_channels(samples: Samples, *, floats: bool = False) -> bytes:
    """A WAV at 16 kHz whose header names no speakers for its channels."""
    if floats:
        pcm, tag, size = samples.T.astype("<f4").tobytes(), 3, 4
    else:
        pcm, tag, size = (samples.T * 32767).astype("<i2").tobytes(), 1, 2
    block = len(samples) * size
    form = b"".join(
        number.to_bytes(width, "little")
        for number, width in (
            (tag, 2),
            (len(samples), 2),
            (16_000, 4),
            (16_000 * block, 4),
            (block, 2),
            (8 * size, 2),
        )
    )
    chunks = b"WAVEfmt \x10\0\0\0" + form + b"data" + len(pcm).to_bytes(4, "little")
    return b"RIFF" + (len(chunks) + len(pcm)).to_bytes(4, "little") + chunks + pcm
