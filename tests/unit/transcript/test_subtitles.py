import html
import re
from datetime import timedelta
from operator import attrgetter

import pysubs2
import pytest
import srt
import webvtt
from hypothesis import assume, given

from tests.unit.transcript.transcripts_made import (
    seeded,
    spoken,
    transcript_of,
    transcripts,
    worded,
)
from transcript.cue_options import CueOptions
from transcript.cues import Cue, cues_of
from transcript.subtitles import to_srt, to_vtt
from transcript.transcript import Transcript

_OPTIONS = CueOptions()
_HALF_A_MILLISECOND = 0.000_501  # and what a float may be off


def _shown_in_srt(cue: Cue) -> str:
    """What the docstring of `to_srt` promises, said in another way."""
    text = cue.text
    while re.search("-[ -]+>", text):
        text = re.sub("-[ -]+>", "->", text)
    text = text.replace("{\\", "(\\")
    return re.sub(
        r"<( */? *)([^\W\d_])", "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}\\1\\2", text
    )


def _seconds(written: str) -> float:
    hours, minutes, seconds = written.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _assert_same_times(read: list[tuple[float, float]], cues: list[Cue]) -> None:
    assert len(read) == len(cues)
    for (start, end), cue in zip(read, cues, strict=True):
        assert abs(start - cue.start) <= _HALF_A_MILLISECOND
        assert abs(end - cue.end) <= _HALF_A_MILLISECOND
        assert start < end


@seeded
@given(transcript=transcripts())
def test_srt_reads_back_as_it_was(transcript: Transcript) -> None:
    cues = cues_of(transcript, _OPTIONS)

    read = list(srt.parse(to_srt(transcript, _OPTIONS)))

    assert [subtitle.index for subtitle in read] == list(range(1, len(cues) + 1))
    assert [subtitle.content for subtitle in read] == [_shown_in_srt(cue) for cue in cues]
    _assert_same_times(
        [(part.start.total_seconds(), part.end.total_seconds()) for part in read], cues
    )


@seeded
@given(transcript=transcripts())
def test_vtt_reads_back_as_it_was(transcript: Transcript) -> None:
    cues = cues_of(transcript, _OPTIONS)

    read = webvtt.from_string(to_vtt(transcript, _OPTIONS), strict=True).captions

    assert [html.unescape(caption.text) for caption in read] == [cue.text for cue in cues]
    _assert_same_times([(_seconds(part.start), _seconds(part.end)) for part in read], cues)


@seeded
@given(transcript=transcripts())
def test_both_read_back_in_another_reader(transcript: Transcript) -> None:
    cues = cues_of(transcript, _OPTIONS)
    # This reader takes any two times in a line for a cue's, knows two digits of hours, and takes
    # a number at the end of a cue for the next one's.
    assume(not any(re.search(r"\d:\d+:\d", cue.text) for cue in cues))
    assume(not any(re.search(r"(?m)^ *\d+ *\Z", cue.text) for cue in cues))
    assume(not cues or cues[-1].end < 99 * 3600)

    for text, format_, shown in (
        (to_srt(transcript, _OPTIONS), "srt", _shown_in_srt),
        (to_vtt(transcript, _OPTIONS), "vtt", attrgetter("text")),
    ):
        read = pysubs2.SSAFile.from_string(text, format_=format_) if cues else []

        texts = [html.unescape(event.text) if format_ == "vtt" else event.text for event in read]
        assert texts == [shown(cue).replace("\n", "\\N") for cue in cues]
        _assert_same_times([(event.start / 1000, event.end / 1000) for event in read], cues)


def test_srt_looks_like_this() -> None:
    transcript = transcript_of(
        spoken("Hello, is anybody there?", 0.0, 1.5, speaker="SPEAKER_00"),
        spoken("Yes, I am here, and I have been waiting", 2.0, 4.5, speaker="SPEAKER_01"),
    )

    assert to_srt(transcript, _OPTIONS) == (
        "1\n"
        "00:00:00,000 --> 00:00:01,500\n"
        "[SPEAKER_00] Hello, is anybody there?\n"
        "\n"
        "2\n"
        "00:00:02,000 --> 00:00:04,500\n"
        "[SPEAKER_01] Yes, I am here,\n"
        "and I have been waiting\n"
    )


def test_vtt_looks_like_this() -> None:
    transcript = transcript_of(spoken("Q&A <live>", 0.0, 1.5, speaker="SPEAKER_00"))

    assert to_vtt(transcript, _OPTIONS) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n[SPEAKER_00] Q&amp;A &lt;live&gt;\n"
    )


def test_labels_can_be_left_out() -> None:
    transcript = transcript_of(spoken("Hello.", 0.0, 1.5, speaker="SPEAKER_00"))

    assert "SPEAKER" not in to_srt(transcript, CueOptions(speaker_labels=False))
    assert "SPEAKER" not in to_vtt(transcript, CueOptions(speaker_labels=False))


def test_an_empty_transcript_is_an_empty_srt_and_a_bare_vtt() -> None:
    assert to_srt(transcript_of(), _OPTIONS) == ""
    assert to_vtt(transcript_of(), _OPTIONS) == "WEBVTT\n"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0004, "00:00:00,000"),
        (0.0006, "00:00:00,001"),
        (1.2346, "00:00:01,235"),
        (2.001, "00:00:02,001"),  # 2000.9999999999998 milliseconds in binary
        (59.9996, "00:01:00,000"),
        (3599.9999, "01:00:00,000"),
        (360_000.25, "100:00:00,250"),
    ],
)
def test_times_are_rounded_not_cut(seconds: float, written: str) -> None:
    transcript = transcript_of(worded(("Hello", seconds, seconds + 2)))

    assert to_srt(transcript, _OPTIONS).splitlines()[1].startswith(written + " --> ")
    assert to_vtt(transcript, _OPTIONS).splitlines()[2].startswith(written.replace(",", ".") + " ")


def test_more_than_a_hundred_hours_can_be_read() -> None:
    transcript = transcript_of(spoken("Still here.", 360_001.0, 360_003.0))

    (subtitle,) = srt.parse(to_srt(transcript, _OPTIONS))
    (caption,) = webvtt.from_string(to_vtt(transcript, _OPTIONS), strict=True).captions

    assert subtitle.start == timedelta(seconds=360_001)
    assert caption.start == "100:00:01.000"


def test_less_than_and_curly_brackets_survive_where_they_are_no_tags() -> None:
    text = "3 < 4 and {this} stays, 5 > 4"

    assert text in to_srt(transcript_of(spoken(text, 0.0, 3.0)), _OPTIONS)


def test_what_looks_like_a_tag_is_shown_and_not_obeyed() -> None:
    transcript = transcript_of(spoken("I <b>mean</b> <unk> {\\an8}it", 0.0, 3.0))

    (event,) = pysubs2.SSAFile.from_string(to_srt(transcript, _OPTIONS), format_="srt")

    assert all(word in event.plaintext for word in ("mean", "unk", "an8", "it"))
