import html
import re
from itertools import pairwise

import pytest
import srt
import webvtt
from hypothesis import given

from tests.unit.transcript.transcripts_made import (
    seeded,
    spoken,
    transcript_of,
    transcripts,
    worded,
)
from transcript.cue_options import CueOptions
from transcript.cues import cues_of
from transcript.marks import Moment, moments_of, spoken_words
from transcript.screen import FRAME_SECONDS
from transcript.subtitles import to_srt, to_vtt
from transcript.transcript import Segment, Transcript

_PLAIN = CueOptions(speaker_labels=False)
_MARKED = CueOptions(highlight_words=True, speaker_labels=False)


def _bare(text: str) -> str:
    """Take the marks out; nothing said looks like one, once it is defused."""
    return re.sub("</?u>", "", text)


def _shown(*segments: Segment) -> list[tuple[str, int, int]]:
    """What is shown in SRT, and its milliseconds."""
    return [
        (part.content, *(round(at.total_seconds() * 1000) for at in (part.start, part.end)))
        for part in srt.parse(to_srt(transcript_of(*segments, silence=0), _MARKED))
    ]


def test_each_word_is_underlined_while_it_is_spoken_and_pauses_are_not() -> None:
    segment = worded(("Hello,", 1.0, 1.4), ("dear", 1.7, 2.0), ("world.", 2.01, 3.0))

    assert _shown(segment) == [
        ("<u>Hello,</u> dear world.", 1000, 1400),
        ("Hello, dear world.", 1400, 1700),
        ("Hello, <u>dear</u> world.", 1700, 2000),
        ("Hello, dear <u>world.</u>", 2000, 3000),
    ]


def test_a_label_is_never_underlined() -> None:
    transcript = transcript_of(spoken("Good morning.", 0, 1, speaker="SPEAKER_00"), silence=0)
    options = CueOptions(highlight_words=True)

    assert [part.content for part in srt.parse(to_srt(transcript, options))] == [
        "[SPEAKER_00] <u>Good</u> morning.",
        "[SPEAKER_00] Good <u>morning.</u>",
    ]
    assert to_vtt(transcript, options) == (
        "WEBVTT\n"
        "\n00:00:00.000 --> 00:00:00.500\n[SPEAKER_00] <u>Good</u> morning.\n"
        "\n00:00:00.500 --> 00:00:01.000\n[SPEAKER_00] Good <u>morning.</u>\n"
    )


def test_chinese_words_are_underlined_whole() -> None:
    segment = spoken("今天天气很好。", 0, 3, words=["今天", "天气", "很好"])

    assert [text for text, _, _ in _shown(segment)] == [
        "<u>今天</u>天气很好。",
        "今天<u>天气</u>很好。",
        "今天天气<u>很好。</u>",
    ]


def test_a_divided_word_is_underlined_on_both_of_its_lines() -> None:
    segment = spoken("x" * 50, 0, 2)

    assert _shown(segment) == [(f"<u>{'x' * 42}</u>\n<u>{'x' * 8}</u>", 0, 2000)]


def test_without_words_nothing_is_underlined() -> None:
    assert _shown(spoken("Nobody timed this.", 0, 2, words=[])) == [("Nobody timed this.", 0, 2000)]


def test_what_no_word_covers_is_not_underlined() -> None:
    segment = spoken("Well 100 %", 0, 2, words=["Well", "100"])

    assert [text for text, _, _ in _shown(segment)] == ["<u>Well</u> 100 %", "Well <u>100</u> %"]


@pytest.mark.parametrize("text", ["a - -> b", "a -- > b", "a < b> c", "a </ b> c", "a {\\an8} b"])
def test_marks_do_not_bring_to_life_what_was_defused(text: str) -> None:
    (unmarked,) = srt.parse(to_srt(transcript_of(spoken(text, 0, 4), silence=0), _PLAIN))
    shown = [content for content, _, _ in _shown(spoken(text, 0, 4))]

    assert unmarked.content != text
    assert {_bare(content) for content in shown} == {unmarked.content}
    assert all(re.search("<u>.+</u>", content) for content in shown)


def test_words_of_the_second_line_are_underlined_there() -> None:
    shown = _shown(spoken("Yes, I am here, and I have been waiting for a long time.", 0, 6.5))

    assert shown[0][0] == "<u>Yes,</u> I am here,\nand I have been waiting for a long time."
    assert shown[7][0] == "Yes, I am here,\nand I have <u>been</u> waiting for a long time."


@seeded
@given(transcript=transcripts())
def test_moments_fill_each_cue_and_mark_its_words_in_order(transcript: Transcript) -> None:
    for cue in cues_of(transcript, _MARKED):
        moments = list(moments_of(cue))
        marked = [moment.word for moment in moments if moment.word]

        assert (moments[0].start, moments[-1].end) == (cue.start, cue.end)
        assert all(first.end == second.start for first, second in pairwise(moments))
        assert len(moments) == 1 or min(map(_seconds, moments)) > FRAME_SECONDS - 1e-6
        assert all(first.stop <= second.begin for first, second in pairwise(marked))
        assert all(word in list(spoken_words(cue)) for word in marked)


def _seconds(moment: Moment) -> float:
    return moment.end - moment.start


@seeded
@given(transcript=transcripts())
def test_every_moment_of_srt_shows_the_whole_cue(transcript: Transcript) -> None:
    cues = cues_of(transcript, _MARKED)
    unmarked = srt.parse(to_srt(transcript, _PLAIN))
    expected = [
        part.content for cue, part in zip(cues, unmarked, strict=True) for _ in moments_of(cue)
    ]

    read = list(srt.parse(to_srt(transcript, _MARKED)))

    assert [_bare(part.content) for part in read] == expected
    assert [part.index for part in read] == list(range(1, len(expected) + 1))
    assert all(first.end <= second.start for first, second in pairwise(read))
    assert all(part.start < part.end for part in read)


@seeded
@given(transcript=transcripts())
def test_every_moment_of_vtt_shows_the_whole_cue_and_underlines_its_word(
    transcript: Transcript,
) -> None:
    shown = [(cue, moment) for cue in cues_of(transcript, _MARKED) for moment in moments_of(cue)]

    read = webvtt.from_string(to_vtt(transcript, _MARKED), strict=True).captions

    for part, (cue, moment) in zip(read, shown, strict=True):
        pieces = [piece.text for row in cue.rows for piece in row]
        word = "".join(pieces[moment.word.begin : moment.word.stop] if moment.word else [])
        underlined = html.unescape("".join(re.findall("<u>(.*?)</u>", part.raw_text)))
        assert html.unescape(_bare(part.raw_text)) == cue.text
        assert "".join(underlined.split()) == "".join(word.split())
