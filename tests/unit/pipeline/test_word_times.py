import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.speech import HeardWindow, Span, SpokenWord, Window, WordTime
from pipeline.word_times import spoken_words

MEDIA_SECONDS = 100.0


def heard(
    start: float, end: float, *words: str, times: tuple[WordTime, ...] | None = None
) -> HeardWindow:
    return HeardWindow(
        window=Window(start=start, end=end, spans=(Span(start=start, end=end),)),
        language="en",
        words=words,
        avg_logprob=-0.2,
        no_speech_prob=0.01,
        compression_ratio=1.5,
        temperature=0.0,
        times=times,
    )


def at(start: float, end: float, score: float | None = 0.9) -> WordTime:
    return WordTime(start=start, end=end, score=score)


def placed(word: SpokenWord) -> tuple[float, float]:
    return (round(word.start, 6), round(word.end, 6))


seconds = st.one_of(
    st.floats(-5, MEDIA_SECONDS + 5),
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, MEDIA_SECONDS]),
)
word_times = st.one_of(
    st.none(),
    st.builds(at, seconds, seconds, st.one_of(st.none(), st.floats(-1, 2), st.just(math.nan))),
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[HeardWindow], list[tuple[WordTime | None, ...]]]:
    """Draw windows by start, some of them empty or beyond the end, with any times at all."""
    edges = sorted(draw(st.lists(st.floats(0, MEDIA_SECONDS + 10), min_size=2, max_size=6)))
    windows, times = [], []
    for start, end in pairwise(edges):
        words = draw(st.lists(st.text(max_size=12), max_size=8))
        given_times = st.lists(word_times, min_size=len(words), max_size=len(words)).map(tuple)
        asked = draw(st.booleans())
        by_attention = tuple(time or at(start, end) for time in draw(given_times))
        windows.append(heard(start, end, *words, times=by_attention if asked else None))
        times.append(draw(given_times))
    return windows, times


@given(cases())
def test_whatever_the_times_every_word_gets_some_that_run_forward(
    case: tuple[list[HeardWindow], list[tuple[WordTime | None, ...]]],
) -> None:
    windows, times = case

    words = spoken_words(windows, times, media_seconds=MEDIA_SECONDS)

    assert [(word.window, word.text) for word in words] == [
        (index, text) for index, window in enumerate(windows) for text in window.words
    ]
    for word in words:
        assert 0 <= word.start <= word.end <= MEDIA_SECONDS
        assert word.score is None or 0 <= word.score <= 1
    for before, word in pairwise(words):
        assert before.end <= word.start


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_good_times_are_left_as_they_are(steps: list[float]) -> None:
    edges = [10.0]
    for step in steps:
        edges.append(edges[-1] + step)
    good = tuple(at(start, end) for start, end in pairwise(edges))
    window = heard(10.0, edges[-1], *(f" w{index}" for index in range(len(good))))

    words = spoken_words([window], [good], media_seconds=MEDIA_SECONDS)

    assert [at(word.start, word.end, word.score) for word in words] == list(good)


def test_a_word_without_times_fills_the_gap_between_its_neighbours() -> None:
    window = heard(0, 10, " one", " five", " six")

    words = spoken_words([window], [(at(1, 2), None, at(3, 4))], media_seconds=MEDIA_SECONDS)

    assert [placed(word) for word in words] == [(1, 2), (2, 3), (3, 4)]
    assert [word.score for word in words] == [0.9, None, 0.9]


def test_words_without_times_share_a_gap_by_their_length() -> None:
    window = heard(0, 10, " a", " bbb", " c", " d")

    words = spoken_words([window], [(at(0, 1), None, None, at(3, 4))], media_seconds=MEDIA_SECONDS)

    assert [placed(word) for word in words] == [(0, 1), (1, 2.5), (2.5, 3), (3, 4)]


def test_a_lost_last_word_does_not_fill_the_silence_behind_it() -> None:
    window = heard(0, 30, " hello", " you")

    words = spoken_words([window], [(at(1, 2), None)], media_seconds=MEDIA_SECONDS)

    assert words[1].start == 2
    assert words[1].end < 3


def test_a_lost_first_word_is_said_just_before_the_next() -> None:
    window = heard(0, 30, " hello", " you")

    words = spoken_words([window], [(None, at(20, 21))], media_seconds=MEDIA_SECONDS)

    assert 19 < words[0].start < words[0].end == 20


def test_a_window_without_any_times_is_shared_among_its_words() -> None:
    window = heard(4, 8, " aa", " bb")

    words = spoken_words([window], [(None, None)], media_seconds=MEDIA_SECONDS)

    assert [placed(word) for word in words] == [(4, 6), (6, 8)]


def test_a_window_that_could_not_be_aligned_falls_back_to_cross_attention() -> None:
    by_attention = (at(4.5, 5, 0.7), at(6, 7, 0.6))
    window = heard(4, 8, " aa", " bb", times=by_attention)

    words = spoken_words([window], [(None, None)], media_seconds=MEDIA_SECONDS)

    assert [at(word.start, word.end, word.score) for word in words] == list(by_attention)


def test_one_stray_time_does_not_drag_the_others_along() -> None:
    window = heard(0, 30, " a", " b", " c", " d")
    stray = (at(1, 2), at(29, 30), at(3, 4), at(5, 6))

    words = spoken_words([window], [stray], media_seconds=MEDIA_SECONDS)

    assert [placed(word) for word in words] == [(1, 2), (2, 3), (3, 4), (5, 6)]
    assert [word.score for word in words] == [0.9, None, 0.9, 0.9]


def test_reversed_times_are_turned_round() -> None:
    words = spoken_words([heard(0, 9, " a")], [(at(3, 2),)], media_seconds=MEDIA_SECONDS)

    assert placed(words[0]) == (2, 3)


def test_a_word_ends_where_the_next_one_starts() -> None:
    window = heard(0, 9, " a", " b")

    words = spoken_words([window], [(at(1, 5), at(2, 6))], media_seconds=MEDIA_SECONDS)

    assert [placed(word) for word in words] == [(1, 2), (2, 6)]


def test_times_beyond_the_end_of_the_media_are_cut() -> None:
    words = spoken_words([heard(0, 9, " a")], [(at(7, 9),)], media_seconds=8.0)

    assert placed(words[0]) == (7, 8)


def test_starts_do_not_go_back_where_windows_overlap() -> None:
    windows = [heard(0, 10, " a"), heard(5, 15, " b")]

    words = spoken_words(windows, [(at(8, 9),), (at(6, 7),)], media_seconds=MEDIA_SECONDS)

    assert [placed(word) for word in words] == [(8, 8), (8, 8)]


def test_a_word_without_room_does_not_push_the_next_one_back() -> None:
    window = heard(0, 9, " a", " lost", " b")

    words = spoken_words([window], [(at(1, 5), None, at(2, 6))], media_seconds=MEDIA_SECONDS)

    assert [placed(word) for word in words] == [(1, 2), (2, 2), (2, 6)]
