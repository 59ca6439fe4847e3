import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.speaker_assignment import NEAR_SECONDS, assign_speakers
from pipeline.speech import SpokenWord, Turn


def word(start: float, end: float, text: str = " word") -> SpokenWord:
    return SpokenWord(text=text, start=start, end=end, score=0.9, window=0)


def turn(start: float, end: float, speaker: str) -> Turn:
    return Turn(start=start, end=end, speaker=speaker)


def speakers(
    words: list[SpokenWord], turns: list[Turn], *, fill_nearest: bool = False
) -> list[str | None]:
    return [w.speaker for w in assign_speakers(words, turns, fill_nearest=fill_nearest)]


def test_a_word_gets_the_speaker_of_most_of_it() -> None:
    turns = [turn(0, 2, "A"), turn(2, 4, "B")]

    assert speakers([word(1.4, 2.2)], turns) == ["A"]
    assert speakers([word(1.8, 2.8)], turns) == ["B"]


def test_the_short_turns_of_a_speaker_add_up() -> None:
    turns = [turn(0, 0.4, "A"), turn(0.4, 1.0, "B"), turn(1.0, 1.4, "A")]

    assert speakers([word(0, 1.4)], turns) == ["A"]


def test_a_word_just_outside_every_turn_gets_the_nearest_speaker() -> None:
    turns = [turn(1, 2, "A"), turn(3, 4, "B")]

    assert speakers([word(0.6, 0.8), word(2.1, 2.3), word(2.7, 2.9), word(4.2, 4.5)], turns) == [
        "A",
        "A",
        "B",
        "B",
    ]


def test_a_word_far_from_every_turn_has_no_speaker() -> None:
    turns = [turn(0, 1, "A"), turn(20, 21, "B")]

    assert speakers([word(1.6, 1.9), word(10, 11), word(19, 19.4)], turns) == [None, None, None]


def test_a_word_far_from_every_turn_gets_the_nearest_speaker_on_request() -> None:
    turns = [turn(0, 1, "A"), turn(20, 21, "B")]

    assert speakers([word(11, 12), word(10, 10.1)], turns, fill_nearest=True) == ["B", "A"]


def test_without_turns_nobody_spoke() -> None:
    words = [replace(word(0, 1), speaker="SPEAKER_07")]

    assert speakers(words, [], fill_nearest=True) == [None]


def test_without_words_there_is_nothing_to_assign() -> None:
    assert speakers([], [turn(0, 1, "A")]) == []


def test_a_word_without_length_gets_whoever_talks_at_that_moment() -> None:
    turns = [turn(0, 1, "A"), turn(1, 2, "B")]

    assert speakers([word(0.5, 0.5), word(1.5, 1.5)], turns) == ["A", "B"]


def test_a_word_that_straddles_a_change_follows_its_neighbours() -> None:
    turns = [turn(0, 1.0, "A"), turn(1.0, 1.28, "B"), turn(1.28, 3, "A")]
    words = [word(0.5, 0.95), word(0.95, 1.4), word(1.42, 1.8)]
    jittered = [turn(0, 1.15, "A"), turn(1.15, 1.4, "B"), turn(1.4, 3, "A")]

    assert speakers(words, turns) == ["A", "A", "A"]
    assert speakers(words, jittered) == ["A", "A", "A"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([word(0, 1), word(1.1, 1.5), word(1.6, 2)], "the word is the other's alone"),
        ([word(0, 1, " Right?"), word(0.95, 1.6), word(1.62, 2)], "a sentence ended before it"),
        ([word(0, 1), word(0.95, 1.6, " Yes."), word(1.62, 2)], "a sentence ended with it"),
        ([word(0, 0.3), word(0.9, 1.6), word(1.62, 2)], "a pause came before it"),
    ],
)
def test_an_interjection_keeps_its_speaker(words: list[SpokenWord], why: str) -> None:
    turns = [turn(0, 1.05, "A"), turn(1.05, 1.55, "B"), turn(1.55, 3, "A")]
    if "sentence" in why or "pause" in why:  # else it would straddle, and follow its neighbours
        turns = [turn(0, 1.2, "A"), turn(1.2, 1.6, "B"), turn(1.6, 3, "A")]

    assert speakers(words, turns)[1] == "B", why


grid = st.integers(0, 400).map(lambda n: n / 20)
lengths = st.integers(0, 40).map(lambda n: n / 20)


@st.composite
def exclusive_turns(draw: st.DrawFn) -> list[Turn]:
    edges = sorted(draw(st.sets(st.integers(0, 400), min_size=2, max_size=40)))
    pairs = itertools.pairwise(edges)
    return [
        turn(a / 20, b / 20, draw(st.sampled_from("ABC"))) for a, b in pairs if draw(st.booleans())
    ]


@st.composite
def spoken_words(draw: st.DrawFn) -> list[SpokenWord]:
    starts = sorted(draw(st.lists(grid, max_size=30)))
    # Every word ends a sentence, so that no word follows its neighbours.
    return [word(start, start + draw(lengths), " word.") for start in starts]


def overlap(one: SpokenWord, other: Turn) -> float:
    return min(one.end, other.end) - max(one.start, other.start)


def allowed(one: SpokenWord, turns: list[Turn], *, fill_nearest: bool) -> set[str | None]:
    """Every answer that is right, by brute force; ties leave several."""
    totals: dict[str | None, float] = {}
    for t in turns:
        inside = one.start == one.end and t.start < one.start < t.end
        if overlap(one, t) > 1e-9 or inside:
            totals[t.speaker] = totals.get(t.speaker, 0.0) + max(overlap(one, t), 1e-9)
    if totals:
        return {who for who, seconds in totals.items() if seconds > max(totals.values()) - 1e-9}
    gaps = [(max(t.start - one.end, one.start - t.end), t.speaker) for t in turns]
    nearest = min((gap for gap, _ in gaps), default=float("inf"))
    if not turns or (nearest > NEAR_SECONDS + 1e-9 and not fill_nearest):
        return {None}
    at_the_edge: set[str | None] = set()
    if abs(nearest - NEAR_SECONDS) < 1e-9 and not fill_nearest:
        at_the_edge = {None}  # decided by a rounding error
    return at_the_edge | {who for gap, who in gaps if gap < nearest + 1e-9}


@settings(max_examples=60)
@given(words=spoken_words(), turns=exclusive_turns(), fill_nearest=st.booleans())
def test_every_word_gets_the_speaker_that_counting_by_hand_finds(
    *, words: list[SpokenWord], turns: list[Turn], fill_nearest: bool
) -> None:
    assigned = assign_speakers(words, turns, fill_nearest=fill_nearest)

    assert [replace(w, speaker=None) for w in assigned] == words
    for w in assigned:
        assert w.speaker in allowed(w, turns, fill_nearest=fill_nearest), w


@settings(max_examples=60)
@given(words=spoken_words(), turns=exclusive_turns())
def test_with_fill_nearest_no_word_is_without_a_speaker(
    words: list[SpokenWord], turns: list[Turn]
) -> None:
    assigned = assign_speakers(words, turns, fill_nearest=True)

    assert not turns or all(w.speaker for w in assigned)


def test_the_last_word_of_a_sentence_stays_with_whoever_still_talks() -> None:
    exclusive = [turn(0, 1.0, "A"), turn(1.0, 3.0, "B")]
    overlapping = [turn(0, 1.5, "A"), turn(1.0, 3.0, "B")]
    words = [
        word(0.4, 0.9, " Neither"),
        word(0.9, 1.0, " did"),
        word(1.1, 1.4, " I."),
        word(1.6, 1.9, " Okay."),
    ]

    found = assign_speakers(words, exclusive, overlapping=overlapping, fill_nearest=False)

    assert [each.speaker for each in found] == ["A", "A", "A", "B"]
    without = assign_speakers(words, exclusive, overlapping=exclusive, fill_nearest=False)
    assert [each.speaker for each in without] == ["A", "A", "B", "B"]


def test_an_answer_of_one_word_keeps_its_speaker() -> None:
    exclusive = [turn(0, 1.0, "A"), turn(1.0, 3.0, "B")]
    overlapping = [turn(0, 1.5, "A"), turn(1.0, 3.0, "B")]
    words = [word(0.4, 1.0, " Agreed?"), word(1.1, 1.4, " Yes.")]

    found = assign_speakers(words, exclusive, overlapping=overlapping, fill_nearest=False)

    assert [each.speaker for each in found] == ["A", "B"]
