"""Real models write down real speech, and nothing where nobody speaks."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import jiwer
import numpy as np
import pytest

from jobs.errors import UnsuitableModel
from jobs.options import Task, TranscriptionOptions
from jobs.stages import Stage
from pipeline.cross_attention import align_heard_window
from pipeline.language_detection import detect_language
from pipeline.progress import OnProgress, unheard
from pipeline.pull import locate
from pipeline.settings import PipelineSettings
from pipeline.speech import HeardWindow, Span
from pipeline.transcribing import transcribe
from pipeline.voice_activity import find_speech, speech_probabilities
from pipeline.waveform import SAMPLE_RATE, Waveform
from pipeline.whisper import Request, WhisperRecognizer, load_whisper
from pipeline.windows import windows_of

AUDIO = Path(__file__).parents[2] / "../shared/audio"
needs_audio = pytest.mark.skipif(not AUDIO.is_dir(), reason="../shared/audio is not here")


def load(name: str) -> WhisperRecognizer:
    return load_whisper(locate(name, PipelineSettings()), name=name, cpu_threads=2)


@pytest.fixture(scope="module")
def english() -> WhisperRecognizer:
    return load("tiny.en")


@pytest.fixture(scope="module")
def multilingual() -> WhisperRecognizer:
    return load("base")


def decoded(path: Path) -> Waveform:
    from faster_whisper.audio import decode_audio

    waveform: Waveform = decode_audio(str(path), sampling_rate=SAMPLE_RATE)
    return waveform


@pytest.fixture(scope="module")
def call() -> Waveform:
    return decoded(Path(str(files("pyannote").joinpath("audio/sample/sample.wav"))))


def call_lines() -> list[tuple[float, float, str]]:
    text = files("pyannote").joinpath("audio/sample/sample.stm").read_text()
    lines = [line.split(maxsplit=5) for line in text.splitlines()]
    return [(float(line[3]), float(line[4]), line[5]) for line in lines]


def heard_in(
    waveform: Waveform,
    recognizer: WhisperRecognizer,
    options: TranscriptionOptions | None = None,
    *,
    language: str = "en",
    with_times: bool = False,
    spans: tuple[Span, ...] | None = None,
    on_progress: OnProgress = unheard,
) -> list[HeardWindow]:
    return transcribe(
        [waveform],
        windows_of(
            find_speech(waveform) if spans is None else spans,
            media_seconds=len(waveform) / SAMPLE_RATE,
        ),
        recognizer,
        options or TranscriptionOptions(),
        language,
        batch_size=2,
        with_times=with_times,
        on_progress=on_progress,
    )


def text_of(heard: list[HeardWindow]) -> str:
    return "".join(word for window in heard for word in window.words)


def plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w' ]", " ", text.lower()).split())


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


@needs_audio
@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("css10/de_achtgesichterambiwasse_0044.flac", "de"),
        ("zh/aishell-BAC009S0724W0121.wav", "zh"),
        ("mfa/common_voice_ja_24511055.mp3", "ja"),
        ("jfk/jfk.mp3", "en"),
    ],
)
def test_the_language_is_detected_on_speech_behind_silence(
    name: str, language: str, multilingual: WhisperRecognizer
) -> None:
    silence = np.zeros(31 * SAMPLE_RATE, dtype=np.float32)
    waveform = np.concatenate([silence, decoded(AUDIO / name)])
    windows = windows_of(find_speech(waveform), media_seconds=len(waveform) / SAMPLE_RATE)

    detected = detect_language(waveform, windows, multilingual)

    assert detected.code == language
    assert detected.probability is not None
    assert 0.9 < detected.probability <= 1


def test_an_english_model_hears_english(call: Waveform, english: WhisperRecognizer) -> None:
    windows = windows_of(find_speech(call), media_seconds=30.0)

    assert detect_language(call, windows, english).code == "en"


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


def test_word_times_are_near_the_speakers_own(
    call: Waveform, multilingual: WhisperRecognizer
) -> None:
    heard = heard_in(call, multilingual, with_times=True)
    spoken = []
    for window in heard:
        assert window.times is not None
        assert len(window.times) == len(window.words)
        spoken += [
            (plain(word), time) for word, time in zip(window.words, window.times, strict=True)
        ]

    errors = []
    for start, end, line in call_lines():
        first, last = plain(line).split()[0], plain(line).split()[-1]
        errors += [
            min((abs(time.start - start) for word, time in spoken if word == first), default=9.0),
            min((abs(time.end - end) for word, time in spoken if word == last), default=9.0),
        ]
    assert np.median(errors) < 0.15


def test_words_are_the_same_with_and_without_times(
    call: Waveform, english: WhisperRecognizer
) -> None:
    (plainly,) = heard_in(call, english)
    (timed,) = heard_in(call, english, with_times=True)

    assert plainly.words == timed.words
    assert plainly.times is None
    assert all(word == word.rstrip() and word.strip() for word in timed.words)


def test_times_found_later_agree_with_those_of_the_same_pass(
    call: Waveform, english: WhisperRecognizer
) -> None:
    (heard,) = heard_in(call, english, with_times=True)
    assert heard.times is not None

    later = align_heard_window(call, heard, english, english.plan(language="en"))

    errors = [abs(a.start - b.start) for a, b in zip(heard.times, later, strict=True)]
    assert float(np.median(errors)) <= 0.02


def test_a_translation_is_english_words(call: Waveform, multilingual: WhisperRecognizer) -> None:
    options = TranscriptionOptions(task=Task.TRANSLATE)

    (heard,) = heard_in(call, multilingual, options, language="ja")

    assert len(heard.words) > 20  # not one word a character, as Japanese would be split
    assert "hello" in plain(text_of([heard]))
    assert heard.language == "ja"


def test_jobs_in_one_batch_keep_their_own_prompts(
    call: Waveform, english: WhisperRecognizer
) -> None:
    samples = call[: 20 * SAMPLE_RATE]
    plans = [english.plan(language="en", hotwords=words) for words in (None, "Dyane, Sheyla", None)]

    def requests(chosen: list[int]) -> list[Request]:
        return [Request(samples=samples, plan=plans[index]) for index in chosen]

    together = english.recognize(requests([0, 1, 2]))
    alone = [english.recognize(requests([index]))[0] for index in range(3)]

    assert [each.decoding.text for each in together] == [each.decoding.text for each in alone]
    assert together[0].decoding.text == together[2].decoding.text != together[1].decoding.text


def test_threads_do_not_mix_their_prompts(call: Waveform, english: WhisperRecognizer) -> None:
    asked = [TranscriptionOptions(hotwords=words) for words in (None, "Dyane, Sheyla")]
    expected = [text_of(heard_in(call, english, options)) for options in asked]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda options: text_of(heard_in(call, english, options)), asked))

    assert found == expected
    assert expected[0] != expected[1]


def test_a_prompt_of_any_length_fits(call: Waveform, english: WhisperRecognizer) -> None:
    options = TranscriptionOptions(initial_prompt="word " * 390, hotwords="name " * 390)

    plan = english.plan(
        language="en", initial_prompt=options.initial_prompt, hotwords=options.hotwords
    )

    assert len(plan.prompt) <= 224 + 4
    english.recognize([Request(samples=call, plan=plan)])


def test_progress_runs_forward_to_the_end(call: Waveform, english: WhisperRecognizer) -> None:
    fractions: list[float] = []

    def note(stage: Stage, fraction: float) -> None:
        assert stage is Stage.TRANSCRIBE
        fractions.append(fraction)

    spans = find_speech(call, on_progress=note)
    heard_in(call, english, spans=spans, on_progress=note)

    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_canceled_job_stops_at_the_next_heartbeat(
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
    for thread in threading.enumerate():
        if thread.name.startswith("whisper"):
            thread.join(60)
            assert not thread.is_alive()


def test_a_model_is_not_asked_for_what_it_cannot_do(
    english: WhisperRecognizer, multilingual: WhisperRecognizer
) -> None:
    with pytest.raises(UnsuitableModel, match="English only"):
        english.plan(language="de")
    with pytest.raises(UnsuitableModel, match="translate"):
        english.plan(language="en", task=Task.TRANSLATE)
    with pytest.raises(UnsuitableModel, match="'yue'"):
        multilingual.plan(language="yue")


def test_blocks_leave_no_seam_in_voice_activity(call: Waveform) -> None:
    from faster_whisper.vad import get_vad_model

    waveform = np.clip(np.tile(call, 10) * 2, -1, 1)  # 300 s: three blocks, none of them quiet
    padded = np.pad(waveform, (0, -len(waveform) % 512))

    whole = np.asarray(get_vad_model()(padded.copy())).reshape(-1)

    # Its last frame is left out: faster-whisper blanks the last 64 samples of what it is given.
    np.testing.assert_allclose(speech_probabilities(waveform)[:-1], whole[:-1], atol=1e-3)


def test_both_voice_activity_models_find_the_same_speech(call: Waveform) -> None:
    silero = find_speech(call)
    pyannote = find_speech(call, method="pyannote")

    def speaks(spans: tuple[Span, ...], time: float) -> bool:
        return any(span.start <= time < span.end for span in spans)

    times = np.arange(0, 30, 0.01)
    assert np.mean([speaks(silero, time) == speaks(pyannote, time) for time in times]) > 0.9
