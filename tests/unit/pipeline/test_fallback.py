"""What Whisper made up goes; what somebody said stays."""

import pytest

from pipeline.fallback import (
    Decoding,
    Voice,
    best_of,
    is_doubtful,
    is_made_up,
    is_stock,
    is_wordless,
    needs_another_try,
    temperatures_above,
)

CLEAR = Voice(peak=0.98, seconds=0.7, window_seconds=1.2)
FAINT = Voice(peak=0.82, seconds=0.3, window_seconds=10.0)


def decoding(
    text: str, *, avg_logprob: float = -0.2, no_speech_prob: float = 0.05, temperature: float = 0.0
) -> Decoding:
    return Decoding(
        tokens=(1,),
        text=text,
        avg_logprob=avg_logprob,
        no_speech_prob=no_speech_prob,
        temperature=temperature,
    )


def is_dropped(each: Decoding, voice: Voice) -> bool:
    return is_wordless(each.text) or (is_doubtful(each) and is_made_up(each, voice))


@pytest.mark.parametrize(
    "text", ["", " ", " . .", "...", "♪♪", "[Music]", " (applause) ", "*sighs*"]
)
def test_a_text_without_words_is_dropped(text: str) -> None:
    assert is_wordless(text)


@pytest.mark.parametrize("text", [" Hi.", "42", "ありがとう", "[Music] Hello", "สวัสดี"])
def test_a_text_with_a_word_is_not_wordless(text: str) -> None:
    assert not is_wordless(text)


@pytest.mark.parametrize(
    ("text", "avg_logprob", "no_speech_prob", "voice"),
    [
        # As measured on music, whale song and tones, with tiny.en and base.
        (" Thank you.", -1.95, 0.41, Voice(peak=0.48, seconds=0.0, window_seconds=10)),
        (" Mm. Mm.", -0.72, 0.48, FAINT),
        (" Ah... Ah...", -1.22, 0.50, FAINT),
        (" music playing", -1.75, 0.40, FAINT),
        (" you", -0.43, 0.95, Voice(peak=0.02, seconds=0.0, window_seconds=2)),
        (" I don't know what to say.", -1.61, 0.52, FAINT),
        # Large models are sure of themselves: no signal but the voice is left.
        (" Thanks for watching!", -0.3, 0.01, FAINT),
    ],
)
def test_what_is_written_without_a_voice_is_made_up(
    text: str, avg_logprob: float, no_speech_prob: float, voice: Voice
) -> None:
    each = decoding(text, avg_logprob=avg_logprob, no_speech_prob=no_speech_prob)

    assert is_dropped(each, voice)


@pytest.mark.parametrize(
    ("text", "avg_logprob", "no_speech_prob", "voice"),
    [
        (" Thank you.", -0.3, 0.09, CLEAR),  # really said
        (" Thanks.", -0.24, 0.09, Voice(peak=0.98, seconds=0.3, window_seconds=0.8)),
        (" Yeah.", -0.60, 0.59, CLEAR),  # a short word alone
        (" Hello?", -0.33, 0.05, Voice(peak=0.55, seconds=0.1, window_seconds=0.6)),
        (" Okay.", -0.37, 0.52, Voice(peak=0.98, seconds=0.2, window_seconds=0.4)),  # cut short
        (" Hi. Hi. Hi. Hi.", -1.1, 0.01, Voice(peak=0.83, seconds=18, window_seconds=23)),  # echo
        (" Bingo F2M.", -1.23, 0.07, CLEAR),  # in noise: a bad guess at something said
        (" Be prepared to now.", -0.82, 0.07, CLEAR),
        (" He theorizes if he seems", -0.58, 0.30, Voice(peak=0.8, seconds=5, window_seconds=9)),
    ],
)
def test_what_somebody_said_is_kept(
    text: str, avg_logprob: float, no_speech_prob: float, voice: Voice
) -> None:
    each = decoding(text, avg_logprob=avg_logprob, no_speech_prob=no_speech_prob)

    assert not is_dropped(each, voice)


def test_more_words_than_anybody_can_say_are_made_up() -> None:
    each = decoding(" so we went on and on" * 12)

    assert is_dropped(each, Voice(peak=0.95, seconds=0.4, window_seconds=6))
    assert not is_dropped(each, Voice(peak=0.95, seconds=25, window_seconds=30))


def test_words_that_are_really_repeated_are_no_loop() -> None:
    each = decoding(" here's some more words words words words um and that should be all")

    assert not needs_another_try(each)


def test_a_loop_and_a_guess_are_tried_again_but_silence_is_not() -> None:
    assert needs_another_try(decoding(" Hi." * 100))
    assert needs_another_try(decoding(" Bingo", avg_logprob=-1.1))
    assert not needs_another_try(decoding(" Bingo", avg_logprob=-1.1, no_speech_prob=0.7))
    assert not needs_another_try(decoding(" Bingo"))


def test_the_likeliest_try_wins_and_a_loop_only_against_loops() -> None:
    loop = decoding(" Hi." * 100, avg_logprob=-0.1)
    poor = decoding(" Hello there", avg_logprob=-1.4, temperature=0.4)
    good = decoding(" Hello there!", avg_logprob=-1.1, temperature=0.8)

    assert best_of([loop, poor, good]) is good
    assert best_of([loop]) is loop


@pytest.mark.parametrize(
    "text", [" Thank you. Thank you.", " Bye-bye.", "Mmm. Mmm.", " you you", "谢谢大家"]
)
def test_stock_phrases_are_known_however_often_repeated(text: str) -> None:
    assert is_stock(text)


@pytest.mark.parametrize("text", [" Thank you, John.", " Hello?", "", " I know."])
def test_other_texts_are_no_stock_phrases(text: str) -> None:
    assert not is_stock(text)


def test_further_tries_are_at_higher_temperatures_only() -> None:
    assert temperatures_above(0.0) == (0.2, 0.4, 0.6, 0.8, 1.0)
    assert temperatures_above(0.5) == (0.6, 0.8, 1.0)
    assert temperatures_above(1.0) == ()
