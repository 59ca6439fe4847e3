# ruff: noqa: RUF001 - Chinese punctuation looks like Latin
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transcript.transcripts_made import (
    seeded,
    spoken,
    transcript_of,
    transcripts,
    worded,
)
from transcript.characters import printable, width
from transcript.cue_options import CueOptions
from transcript.cues import Cue, cues_of, label_of
from transcript.transcript import Transcript

_PLAIN = CueOptions(speaker_labels=False)

_options = st.builds(
    CueOptions,
    max_chars_per_line=st.sampled_from((10, 13, 14, 20, 42, 200)),
    max_lines_per_cue=st.integers(min_value=1, max_value=4),
    max_chars_per_second=st.none() | st.sampled_from((1.0, 17.0, 200.0)),
    min_cue_seconds=st.sampled_from((0.0, 0.83, 1.0)),
    max_cue_seconds=st.sampled_from((1.0, 7.0, 60.0)),
    speaker_labels=st.booleans(),
    word_level=st.booleans(),
)


def _lines(transcript: Transcript, options: CueOptions = _PLAIN) -> list[tuple[str, ...]]:
    return [cue.lines for cue in cues_of(transcript, options)]


def _times(cues: list[Cue]) -> list[tuple[float, float]]:
    return [(round(cue.start, 3), round(cue.end, 3)) for cue in cues]


@seeded
@given(transcript=transcripts(), options=_options)
def test_cues_follow_each_other_and_last_at_least_a_frame(
    transcript: Transcript, options: CueOptions
) -> None:
    cues = cues_of(transcript, options)

    assert all(cue.end - cue.start > 0.039 for cue in cues)
    assert all(first.end <= second.start for first, second in pairwise(cues))


@seeded
@given(transcript=transcripts(), options=_options)
def test_no_cue_is_larger_than_asked_for(transcript: Transcript, options: CueOptions) -> None:
    for cue in cues_of(transcript, options):
        columns = options.max_chars_per_line
        label = label_of(cue.speaker, options).rstrip()
        shown = cue.text.split("\n")

        assert 1 <= len(shown) <= options.max_lines_per_cue
        assert shown[0].startswith(label)
        is_one_line = options.max_lines_per_cue == 1
        is_label_too_wide = width(label) + is_one_line > columns - is_one_line
        is_single_word = is_one_line and len(cue.rows[0]) == 1
        assert is_label_too_wide or is_single_word or max(map(width, shown)) <= columns
        assert all(width(line) <= columns for line in cue.lines)
        assert all(line and line == line.strip() for line in cue.lines)
        assert cue.end - cue.start <= options.max_cue_seconds + 1e-6


@seeded
@given(transcript=transcripts(), options=_options)
def test_no_character_is_lost_or_doubled(transcript: Transcript, options: CueOptions) -> None:
    shown: Counter[tuple[str | None, str]] = Counter()
    said: Counter[tuple[str | None, str]] = Counter()
    for cue in cues_of(transcript, options):
        shown.update((cue.speaker, letter) for letter in "".join("".join(cue.lines).split()))
    for segment in transcript.segments:
        speaker = printable(segment.speaker or "") or None
        said.update((speaker, letter) for letter in "".join(printable(segment.text).split()))

    assert shown == said


@seeded
@given(transcript=transcripts(most=1), options=_options)
def test_a_segment_is_shown_in_its_order_and_with_its_spacing(
    transcript: Transcript, options: CueOptions
) -> None:
    text = "".join(printable(segment.text) for segment in transcript.segments)
    lines = [line for cue in cues_of(transcript, options) for line in cue.lines]
    cursor = 0
    for line in lines:
        begin = text.find(line, cursor)

        assert text[cursor:begin].strip() == ""  # nothing between two lines but a space
        cursor = begin + len(line)
    assert cursor == len(text)


def test_a_short_sentence_is_one_line() -> None:
    transcript = transcript_of(spoken("Good morning, how are you today?", 1.0, 3.0))

    assert _lines(transcript) == [("Good morning, how are you today?",)]


def test_a_long_sentence_breaks_at_clauses_into_balanced_lines() -> None:
    text = (
        "The committee met on Tuesday to discuss the budget, but nobody had read the report, "
        "so they decided to meet again next week."
    )
    transcript = transcript_of(spoken(text, 0.0, 9.0))

    assert _lines(transcript) == [
        ("The committee met on Tuesday", "to discuss the budget,"),
        ("but nobody had read the report,", "so they decided to meet again next week."),
    ]


def test_sentences_are_kept_apart_where_there_is_a_choice() -> None:
    text = (
        "I have never been to the north of the country. My sister lives there with her two "
        "children and a dog."
    )
    transcript = transcript_of(spoken(text, 0.0, 7.0))

    assert _lines(transcript) == [
        ("I have never been", "to the north of the country."),
        ("My sister lives there with", "her two children and a dog."),
    ]


def test_a_title_is_not_the_end_of_a_sentence() -> None:
    text = "Yesterday I spoke with Dr. Smith about the plan."

    assert _lines(transcript_of(spoken(text, 0.0, 5.0))) == [
        ("Yesterday I spoke with", "Dr. Smith about the plan.")
    ]


def test_a_line_does_not_end_so_early_that_the_rest_is_too_long() -> None:
    text = "I am sure. Do not be so afraid of it."
    options = CueOptions(max_chars_per_line=20)

    assert _lines(transcript_of(spoken(text, 0.0, 5.0)), options) == [
        ("I am sure. Do not", "be so afraid of it.")
    ]


def test_chinese_breaks_at_punctuation_and_counts_two_columns_a_character() -> None:
    text = "今天天气很好，我们一起去公园散步吧。听说那里的菜非常好吃，而且价格也不贵，我们走吧。"
    transcript = transcript_of(spoken(text, 0.0, 10.0, words=()))

    assert _lines(transcript) == [
        ("今天天气很好，我们一起去公园散步吧。",),
        ("听说那里的菜非常好吃，", "而且价格也不贵，我们走吧。"),
    ]


def test_chinese_words_stay_whole_when_they_are_known() -> None:
    words = ["我们", "明天", "早上", "坐", "火车", "去", "北京", "看望", "爷爷", "奶奶"]
    transcript = transcript_of(spoken("".join(words), 0.0, 5.0, words=words))
    options = CueOptions(max_chars_per_line=12, max_lines_per_cue=2)

    lines = [line for cue in _lines(transcript, options) for line in cue]
    edges = {len("".join(words[:count])) for count in range(len(words) + 1)}
    position = 0
    for line in lines:
        assert width(line) <= 12
        assert position in edges
        position += len(line)


def test_no_japanese_line_begins_with_closing_punctuation_or_small_kana() -> None:
    text = "「きょうはがっこうへいきました」と、ちょっとだけおかあさんにいってから、ねました。"
    transcript = transcript_of(spoken(text, 0.0, 10.0, words=()))
    for columns in range(10, 43):
        lines = _lines(transcript, CueOptions(max_chars_per_line=columns))

        assert not any(line[0] in "」、。っょゃ" for cue in lines for line in cue)


def test_thai_breaks_between_words_although_nothing_parts_them() -> None:
    words = ["ผม", "ชอบ", "กิน", "ข้าว", "กับ", "แกง", "ไก่", "มาก"]
    transcript = transcript_of(spoken("".join(words), 0.0, 5.0, words=words))
    options = CueOptions(max_chars_per_line=14)

    lines = [line for cue in _lines(transcript, options) for line in cue]
    edges = {"".join(words[:count]) for count in range(len(words) + 1)}

    assert len(lines) > 1
    assert all("".join(lines[:count]) in edges for count in range(len(lines)))


def test_korean_breaks_at_spaces_only() -> None:
    text = "오늘은 날씨가 아주 좋습니다 그래서 산책을 갑니다"
    transcript = transcript_of(spoken(text, 0.0, 5.0))
    options = CueOptions(max_chars_per_line=20)

    words = [word for cue in _lines(transcript, options) for line in cue for word in line.split()]

    assert words == text.split()


def test_a_word_longer_than_a_line_is_divided() -> None:
    transcript = transcript_of(spoken("a" * 100 + " end", 0.0, 5.0))

    assert _lines(transcript) == [("a" * 42,), ("a" * 42, "a" * 16 + " end")]


@pytest.mark.parametrize("letter", ["e\u0301", "\u0915\u093e", "👩\u200d👧"])
def test_a_letter_is_not_divided_from_what_is_drawn_with_it(letter: str) -> None:
    transcript = transcript_of(spoken(letter * 30, 0.0, 5.0))

    lines = _lines(transcript, CueOptions(max_chars_per_line=11))

    assert all(line == letter * line.count(letter) for cue in lines for line in cue)


def test_a_no_break_space_holds_as_long_as_it_can() -> None:
    text = "This costs about 10\u00a0000\u00a0000\u00a0€, or more"
    transcript = transcript_of(spoken(text, 0.0, 5.0))

    assert (
        "10\u00a0000\u00a0000\u00a0€," in _lines(transcript, CueOptions(max_chars_per_line=17))[0]
    )
    assert _lines(transcript_of(spoken("a\u00a0" * 30, 0.0, 5.0))) == [
        ("a " * 14 + "a", "a " * 14 + "a")
    ]


def test_the_label_takes_its_room_from_the_first_line() -> None:
    text = "This sentence would fill one line just so."
    lines = _lines(transcript_of(spoken(text, 0, 4, speaker="SPEAKER_00")), CueOptions())

    assert len(text) == 42
    assert len(lines[0]) == 2
    assert _lines(transcript_of(spoken(text, 0, 4, speaker="SPEAKER_00"))) == [(text,)]


def test_a_long_pause_starts_a_new_cue() -> None:
    transcript = transcript_of(
        worded(("I", 0.0, 0.2), ("think", 0.2, 1.0), ("so.", 2.6, 3.5)),
    )

    cues = cues_of(transcript, _PLAIN)

    assert [cue.lines for cue in cues] == [("I think",), ("so.",)]
    assert _times(cues) == [(0.0, 1.0), (2.6, 3.5)]


def test_a_short_pause_does_not() -> None:
    transcript = transcript_of(worded(("I", 0.0, 0.2), ("think", 0.2, 1.0), ("so.", 2.0, 3.5)))

    assert _lines(transcript) == [("I think so.",)]
