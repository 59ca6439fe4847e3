"""Real models write down real speech, and nothing where nobody speaks."""

from pathlib import Path

import jiwer
import numpy as np
import pytest

from jobs.options import Task, TranscriptionOptions
from jobs.stages import Stage
from pipeline.speech import Span
from pipeline.voice_activity import find_speech
from pipeline.waveform import SAMPLE_RATE, Waveform
from pipeline.whisper import WhisperRecognizer
from tests.end_to_end.speech_heard import (
    call_lines,
    call_waveform,
    decoded,
    heard_in,
    load_recognizer,
    plain,
    text_of,
)

AUDIO = Path(__file__).parents[2] / "../shared/audio"
needs_audio = pytest.mark.skipif(not AUDIO.is_dir(), reason="../shared/audio is not here")


@pytest.fixture(scope="module")
def english() -> WhisperRecognizer:
    return load_recognizer("tiny.en")


@pytest.fixture(scope="module")
def multilingual() -> WhisperRecognizer:
    return load_recognizer("base")


@pytest.fixture(scope="module")
def call() -> Waveform:
    return call_waveform()


def every_quarter_minute(waveform: Waveform) -> tuple[Span, ...]:
    seconds = len(waveform) / SAMPLE_RATE
    return tuple(
        Span(start=start, end=min(start + 15.0, seconds)) for start in np.arange(0.0, seconds, 15.0)
    )


def sounds_without_speech() -> dict[str, Waveform]:
    random = np.random.default_rng(0)
    time = np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE
    clicks = np.zeros_like(time)
    clicks[random.integers(0, len(time), 60)] = 0.9
    glides = np.sin(2 * np.pi * (250 * time + 40 * np.sin(2 * np.pi * 0.3 * time)))
    chords = np.zeros_like(time)
    for start in range(0, len(time) - SAMPLE_RATE, SAMPLE_RATE // 3):
        tail = time[:SAMPLE_RATE]
        for pitch in random.choice([220, 247, 262, 294, 330, 349, 392, 440], 3):
            tone = sum(np.sin(2 * np.pi * k * pitch * tail) / k for k in range(1, 7))
            chords[start : start + SAMPLE_RATE] += 0.06 * tone * np.exp(-3 * tail)
    sounds = {
        "silence": np.zeros_like(time),
        "sine": 0.3 * np.sin(2 * np.pi * 440 * time),
        "hum": sum(0.1 / k * np.sin(2 * np.pi * 50 * k * time) for k in (1, 2, 3, 5)),
        "noise": 0.1 * random.standard_normal(len(time)),
        "faint noise": 0.0005 * random.standard_normal(len(time)),
        "clicks": clicks,
        "glides": 0.2 * glides * np.abs(np.sin(2 * np.pi * 0.2 * time)),
        "chords": chords,
    }
    return {name: np.asarray(sound, dtype=np.float32) for name, sound in sounds.items()}


def test_a_phone_call_is_written_down(call: Waveform, english: WhisperRecognizer) -> None:
    reference = " ".join(line for _, _, line in call_lines())

    heard = heard_in(call, english)

    assert jiwer.wer(plain(reference), plain(text_of(heard))) < 0.2


@pytest.mark.parametrize("name", ["tiny.en", "base"])
def test_nothing_is_written_where_nobody_speaks(name: str, request: pytest.FixtureRequest) -> None:
    recognizer = request.getfixturevalue("english" if name == "tiny.en" else "multilingual")
    for sound in sounds_without_speech().values():
        assert text_of(heard_in(sound, recognizer)) == ""
        # And not even when voice activity detection lets everything through.
        assert text_of(heard_in(sound, recognizer, spans=every_quarter_minute(sound))) == ""


@needs_audio
@pytest.mark.parametrize("name", ["music_hungarian_dance.ogg", "silence2sec.wav"])
def test_nothing_is_written_on_recorded_music_and_silence(
    name: str, english: WhisperRecognizer, multilingual: WhisperRecognizer
) -> None:
    waveform = decoded(AUDIO / "nonspeech" / name)
    for recognizer in (english, multilingual):
        assert text_of(heard_in(waveform, recognizer)) == ""
        assert text_of(heard_in(waveform, recognizer, spans=every_quarter_minute(waveform))) == ""


@needs_audio
def test_words_that_are_really_repeated_stay(english: WhisperRecognizer) -> None:
    text = plain(text_of(heard_in(decoded(AUDIO / "mfa/acoustic_corpus.flac"), english)))

    assert "words words words words" in text


@pytest.mark.parametrize("gain", [0.1, 0.01, 0.003])
def test_quiet_speech_is_written_down(
    gain: float, call: Waveform, english: WhisperRecognizer
) -> None:
    reference = " ".join(line for _, _, line in call_lines())

    heard = heard_in(call * np.float32(gain), english)

    assert jiwer.wer(plain(reference), plain(text_of(heard))) < 0.3


def test_a_short_word_alone_is_written_down(call: Waveform, english: WhisperRecognizer) -> None:
    hello = np.concatenate(
        [np.zeros(SAMPLE_RATE, np.float32), call[int(7.5 * SAMPLE_RATE) : int(8.3 * SAMPLE_RATE)]]
    )

    assert plain(text_of(heard_in(hello, english))) == "hello"


def test_a_translation_is_english_words(call: Waveform, multilingual: WhisperRecognizer) -> None:
    options = TranscriptionOptions(task=Task.TRANSLATE)

    (heard,) = heard_in(call, multilingual, options, language="ja")

    assert len(heard.words) > 20  # not one word a character, as Japanese would be split
    assert "hello" in plain(text_of([heard]))
    assert heard.language == "ja"


def test_progress_runs_forward_to_the_end(call: Waveform, english: WhisperRecognizer) -> None:
    fractions: list[float] = []

    def note(stage: Stage, fraction: float) -> None:
        assert stage is Stage.TRANSCRIBE
        fractions.append(fraction)

    spans = find_speech(call, on_progress=note)
    heard_in(call, english, spans=spans, on_progress=note)

    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_canceled_job_stops_after_the_batch_under_way(
    call: Waveform, english: WhisperRecognizer
) -> None:
    class Canceled(Exception):
        pass

    canceled = Canceled()

    def cancel(stage: Stage, fraction: float) -> None:
        raise canceled

    with pytest.raises(Canceled) as raised:
        heard_in(call, english, on_progress=cancel)

    assert raised.value is canceled
