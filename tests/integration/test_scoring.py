import pytest

from benchmarks.scoring import (
    Errors,
    SpeakerTurn,
    TimedWord,
    edge_errors,
    line_errors,
    normalized,
    speaker_errors,
    word_errors,
)


def turn(start: float, end: float, speaker: str) -> SpeakerTurn:
    return SpeakerTurn(start=start, end=end, speaker=speaker)


def word(text: str, start: float, end: float) -> TimedWord:
    return TimedWord(word=text, start=start, end=end)


@pytest.mark.parametrize(
    ("written", "as_whisper_counts"),
    [
        ("Hello, World!", "hello world"),
        ("It's twenty-five dollars", "it is $25"),
        ("uh, I mean, um, Mr. Smith", "i mean mister smith"),
        ("we can't [laughs] go", "we can not go"),
    ],
)
def test_text_is_normalised_as_whispers_authors_do(written: str, as_whisper_counts: str) -> None:
    assert normalized(written) == as_whisper_counts


@pytest.mark.parametrize(
    ("heard", "wrong"),
    [
        ("The cat sat.", 0),
        ("the cat sits", 1),  # another word
        ("the cat", 1),  # one is missing
        ("the big cat sat down", 2),  # two too many
        ("", 3),
    ],
)
def test_words_are_wrong_that_are_others_missing_or_added(heard: str, wrong: int) -> None:
    assert word_errors("the cat sat", heard) == Errors(wrong=wrong, total=3)


def test_where_nothing_was_said_every_word_is_one_too_many() -> None:
    assert word_errors("", "Thank you.") == Errors(wrong=2, total=0)


def test_errors_add_up_over_recordings_by_their_length() -> None:
    errors = Errors(wrong=1, total=2) + Errors(wrong=0, total=8)

    assert errors.rate == 10.0
    assert Errors(wrong=1, total=0).rate == 0.0


def test_speakers_are_matched_whatever_their_labels() -> None:
    reference = [turn(0, 4, "Ann"), turn(4, 10, "Bob")]
    found = [turn(0, 4, "SPEAKER_01"), turn(4, 10, "SPEAKER_00")]

    assert speaker_errors(reference, found, seconds=10).wrong == 0


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ([turn(0, 3.9, "x"), turn(4, 10, "y")], 0.1),  # missed; no collar forgives a tenth
        ([turn(0, 4, "x"), turn(4, 11, "y")], 1.0),  # invented, after the last turn
        ([turn(0, 5, "x"), turn(5, 10, "y")], 1.0),  # confused
        ([turn(0, 4, "x"), turn(4, 10, "y"), turn(6, 8, "x")], 2.0),  # both at once
    ],
)
def test_every_second_of_a_wrong_turn_counts(found: list[SpeakerTurn], wrong: float) -> None:
    reference = [turn(0, 4, "Ann"), turn(4, 10, "Bob")]

    errors = speaker_errors(reference, found, seconds=12)

    assert errors.wrong == pytest.approx(wrong)
    assert errors.total == pytest.approx(10)


def test_overlapping_speech_of_the_reference_counts_twice() -> None:
    reference = [turn(0, 4, "Ann"), turn(2, 6, "Bob")]

    errors = speaker_errors(reference, [turn(0, 6, "x")], seconds=6)

    assert errors.total == pytest.approx(8)
    assert errors.wrong == pytest.approx(4)  # one of two voices in 2 s, and 2 s of the other's


def test_edges_are_compared_of_words_that_were_heard_right() -> None:
    reference = [word("so,", 0.0, 0.3), word("can't", 0.4, 0.8), word("we", 0.9, 1.0)]
    found = [word("So", 0.1, 0.3), word("well", 0.3, 0.4), word("can't", 0.4, 0.6)]

    assert edge_errors(reference, found) == pytest.approx([0.1, 0.0, 0.0, 0.2])


def test_no_edges_are_compared_of_nothing() -> None:
    assert edge_errors([], [word("so", 0, 1)]) == []
    assert edge_errors([word("so", 0, 1)], []) == []


def test_the_edges_of_lines_are_held_against_the_nearest_word() -> None:
    lines = [turn(1.0, 2.0, "Ann")]
    found = [word("one", 0.2, 0.9), word("two", 1.1, 1.4), word("three", 1.5, 2.3)]

    assert line_errors(lines, found) == pytest.approx([0.1, 0.3])
    assert line_errors(lines, []) == []
