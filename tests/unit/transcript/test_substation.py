import re

import pysubs2
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.transcript.transcripts_made import (
    seeded,
    spoken,
    transcript_of,
    transcripts,
    worded,
)
from transcript.cue_options import CueOptions
from transcript.cues import cues_of
from transcript.substation import to_ass
from transcript.transcript import Transcript

_OPTIONS = CueOptions()
_HALF_A_CENTISECOND = 0.005_001


def _read(content: str) -> pysubs2.SSAFile:
    return pysubs2.SSAFile.from_string(content, format_="ass")


def _events(content: str) -> list[str]:
    return [line for line in content.splitlines() if line.startswith("Dialogue:")]


def _shown(text: str) -> str:
    """What the module's docstring promises, said in another way."""
    return re.sub(r"\\", r"\\" + "\u2060", text.replace("{", "(").replace("}", ")"))


def test_ass_looks_like_this() -> None:
    transcript = transcript_of(
        spoken("Hello, is anybody there?", 0.0, 1.504, speaker="SPEAKER_00"),
        spoken("Yes, I am here, and I have been waiting", 3602.0, 3604.5),
    )

    assert _events(to_ass(transcript, _OPTIONS)) == [
        "Dialogue: 0,0:00:00.00,0:00:01.50,Default,SPEAKER_00,0,0,0,,"
        "[SPEAKER_00] Hello, is anybody there?",
        "Dialogue: 0,1:00:02.00,1:00:04.50,Default,,0,0,0,,Yes, I am here, and I have been waiting",
    ]


def test_the_speaker_is_named_even_without_a_label() -> None:
    transcript = transcript_of(spoken("Hello.", 0.0, 1.5, speaker="Ann, {really}"))

    (event,) = _read(to_ass(transcript, CueOptions(speaker_labels=False)))

    assert (event.name, event.plaintext) == ("Ann; {really}", "Hello.")


def test_braces_and_backslashes_open_nothing() -> None:
    transcript = transcript_of(spoken("one {\\an8} two \\N {three}", 0, 3))

    (event,) = _events(to_ass(transcript, _OPTIONS))

    assert event.endswith(",,one (\\\u2060an8) two \\\u2060N (three)")


def test_an_empty_transcript_is_a_style_without_events() -> None:
    read = _read(to_ass(transcript_of(), _OPTIONS))

    assert len(read) == 0
    assert list(read.styles) == ["Default"]
    assert (read.info["PlayResX"], read.styles["Default"].fontsize) == ("1920", 60)


@seeded
@given(transcript=transcripts(), highlight_words=st.booleans())
def test_ass_reads_back_as_it_was(transcript: Transcript, highlight_words: bool) -> None:  # noqa: FBT001
    options = CueOptions(highlight_words=highlight_words)
    cues = cues_of(transcript, options)
    assume(not cues or cues[-1].end < 99 * 3600)  # the reader knows two digits of hours

    read = _read(to_ass(transcript, options))

    assert len(read) == len(cues)
    for event, cue in zip(read, cues, strict=True):
        assert event.plaintext == _shown(cue.text)
        assert abs(event.start / 1000 - cue.start) <= _HALF_A_CENTISECOND
        assert abs(event.end / 1000 - cue.end) <= _HALF_A_CENTISECOND
        assert event.name == (cue.speaker or "").replace(",", ";")


@seeded
@given(transcript=transcripts(), highlight_words=st.booleans())
def test_nothing_said_becomes_a_tag(transcript: Transcript, highlight_words: bool) -> None:  # noqa: FBT001
    options = CueOptions(highlight_words=highlight_words)
    for event in _events(to_ass(transcript, options)):
        text = event.split(",", 9)[9]
        bare = re.sub(r"\{\\k\d+\}", "", text) if highlight_words else text

        assert "{" not in bare
        assert "}" not in bare
        assert re.search(r"\\[^N\u2060]", bare) is None


def test_each_word_is_a_syllable_and_pauses_are_empty_ones() -> None:
    segment = worded(("Hello,", 1.0, 1.4), ("dear", 1.7, 2.0), ("world.", 2.0, 3.004))
    segment = segment.model_copy(update={"speaker": "SPEAKER_00"})

    (event,) = _events(to_ass(transcript_of(segment), CueOptions(highlight_words=True)))

    assert event.endswith(",,[SPEAKER_00] {\\k40}Hello, {\\k30}{\\k30}dear {\\k100}world.")


@seeded
@given(transcript=transcripts())
def test_syllables_never_outlast_their_event(transcript: Transcript) -> None:
    options = CueOptions(highlight_words=True)
    events = _events(to_ass(transcript, options))
    for event, cue in zip(events, cues_of(transcript, options), strict=True):
        sung = sum(int(digits) for digits in re.findall(r"\{\\k(\d+)\}", event))

        assert sung <= round(cue.end * 100) - round(cue.start * 100)


def test_more_than_a_hundred_hours_are_written_as_they_are() -> None:
    (event,) = _events(to_ass(transcript_of(spoken("Still here.", 360_001, 360_003)), _OPTIONS))

    assert event.startswith("Dialogue: 0,100:00:01.00,100:00:03.00,")
