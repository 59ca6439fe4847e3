"""A recognizer times its words, and keeps apart what it is asked at the same time."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from jobs.errors import UnsuitableModel
from jobs.options import Task, TranscriptionOptions
from pipeline.cross_attention import align_heard_window
from pipeline.recognizing import Recognition, Request
from pipeline.waveform import SAMPLE_RATE, Waveform
from pipeline.whisper import WhisperRecognizer
from tests.end_to_end.speech_heard import (
    call_lines,
    call_waveform,
    heard_in,
    load_recognizer,
    plain,
    recognized,
    text_of,
)


@pytest.fixture(scope="module")
def english() -> WhisperRecognizer:
    return load_recognizer("tiny.en")


@pytest.fixture(scope="module")
def multilingual() -> WhisperRecognizer:
    return load_recognizer("base")


@pytest.fixture(scope="module")
def call() -> Waveform:
    return call_waveform()


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


def test_jobs_in_one_batch_keep_their_own_prompts(
    call: Waveform, english: WhisperRecognizer
) -> None:
    samples = call[: 20 * SAMPLE_RATE]
    plans = [english.plan(language="en", hotwords=words) for words in (None, "Dyane, Sheyla", None)]

    def recognitions(chosen: list[int]) -> list[Recognition]:
        requests = [
            Request(index=index, sound=english.sound(samples), plan=plans[index])
            for index in chosen
        ]
        return recognized(english, requests)

    together = recognitions([0, 1, 2])
    alone = [recognitions([index])[0] for index in range(3)]

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
    recognized(english, [Request(index=0, sound=english.sound(call), plan=plan)])


def test_a_model_is_not_asked_for_what_it_cannot_do(
    english: WhisperRecognizer, multilingual: WhisperRecognizer
) -> None:
    with pytest.raises(UnsuitableModel, match="English only"):
        english.plan(language="de")
    with pytest.raises(UnsuitableModel, match="translate"):
        english.plan(language="en", task=Task.TRANSLATE)
    with pytest.raises(UnsuitableModel, match="'yue'"):
        multilingual.plan(language="yue")
