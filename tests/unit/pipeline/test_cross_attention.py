"""Words keep to the speech, in order."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cross_attention import Alignment, alignment_of, word_times
from pipeline.speech import Span, Window
from pipeline.spelled_words import SpelledWord, merged_punctuation

WINDOW = Window(
    start=100.0, end=110.0, spans=(Span(start=101.0, end=103.0), Span(start=105.0, end=109.0))
)


def words(*texts: str) -> tuple[SpelledWord, ...]:
    return tuple(
        SpelledWord(text=text, first=index, last=index + 1) for index, text in enumerate(texts)
    )


def alignment(*starts: float) -> Alignment:
    return Alignment(starts=np.array(starts), probabilities=np.full(len(starts) - 1, 0.5))


@given(
    st.lists(st.floats(0, 30), min_size=2, max_size=30),
    st.lists(st.sampled_from([" a", " yes,", " hello.", "字", " extraordinarily"]), min_size=29),
)
def test_words_are_in_order_and_inside_the_window(starts: list[float], texts: list[str]) -> None:
    spelled = words(*texts[: len(starts) - 1])

    times = word_times(spelled, alignment(*sorted(starts)), WINDOW)

    edges = [edge for time in times for edge in (time.start, time.end)]
    assert len(times) == len(spelled)
    assert edges == sorted(edges)
    assert all(WINDOW.start <= edge <= WINDOW.end for edge in edges)


def test_a_first_word_does_not_start_in_the_silence_before_it() -> None:
    (first, _) = word_times(words(" Hello", " there"), alignment(0.0, 1.4, 1.9), WINDOW)

    assert first.start == pytest.approx(101.0)
    assert first.end == pytest.approx(101.4)


def test_a_last_word_does_not_reach_over_the_pause_behind_it() -> None:
    spelled = (*words(" you", " there."), SpelledWord(text=" Yes", first=3, last=4))

    times = word_times(spelled, alignment(1.5, 2.4, 4.9, 5.0, 5.5), WINDOW)

    assert times[1].start == pytest.approx(102.4)
    assert times[1].end <= 103.0


def test_a_word_after_a_pause_is_said_where_it_ends() -> None:
    times = word_times(words(" there.", " And", " so"), alignment(1.0, 1.5, 5.3, 5.6), WINDOW)

    assert times[1].start == pytest.approx(105.0)
    assert times[1].end == pytest.approx(105.3)


def test_a_word_without_time_takes_some_of_its_punctuations() -> None:
    spelled = (
        SpelledWord(text=" words,", first=0, last=1),
        SpelledWord(text=" words", first=2, last=3),
    )

    times = word_times(spelled, alignment(5.0, 5.3, 5.8, 5.8), WINDOW)

    assert times[1].end - times[1].start >= 0.15


def test_a_word_without_time_takes_the_free_time_behind_it_when_there_is_none_before() -> None:
    spelled = (
        SpelledWord(text=" quite", first=0, last=1),
        SpelledWord(text=" right", first=1, last=2),
        SpelledWord(text=" so", first=3, last=4),
    )

    times = word_times(spelled, alignment(5.0, 5.5, 5.5, 6.0, 6.3), WINDOW)

    assert times[1].start == pytest.approx(105.5)
    assert times[1].end - times[1].start >= 0.19


def test_a_words_score_is_the_mean_of_its_tokens() -> None:
    spelled = (SpelledWord(text=" Yankee", first=0, last=2),)
    found = Alignment(starts=np.array([1.0, 1.2, 1.4]), probabilities=np.array([0.4, 0.8]))

    (time,) = word_times(spelled, found, WINDOW)

    assert time.score == pytest.approx(0.6)


def test_a_token_starts_where_the_path_first_reaches_it() -> None:
    path = [(0, 0), (0, 1), (1, 2), (2, 2), (2, 3), (3, 10)]
    result = SimpleNamespace(alignments=path, text_token_probs=[0.1, 0.2, 0.3])

    found = alignment_of(result)

    assert found.starts.tolist() == pytest.approx([0.0, 0.04, 0.04, 0.2])
    assert found.probabilities.tolist() == pytest.approx([0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((" Hello", ",", " world", "."), (" Hello,", " world.")),
        ((" he", ' "', "said", '."'), (" he", ' "said."')),
        ((" -", " yes"), (" - yes",)),
        ((" wait", " ...", " what", "?"), (" wait ...", " what?")),
        ((" R", " &", " B"), (" R", " &", " B")),
        ((" ...",), (" ...",)),
        ((" he", ' "'), (' he "',)),
        (("今", "日", "。"), ("今", "日。")),
    ],
)
def test_punctuation_sticks_to_a_word_and_nothing_is_lost(
    pieces: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert tuple(word.text for word in merged_punctuation(words(*pieces))) == expected
