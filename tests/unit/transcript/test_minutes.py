import io
import re
from html import unescape
from zipfile import ZipFile

import pytest
from docx import Document
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.unit.transcript.transcripts_made import seeded, spoken, transcript_of, transcripts
from transcript.characters import printable
from transcript.cue_options import CueOptions
from transcript.document import to_docx
from transcript.markdown import to_md
from transcript.paragraphs import clock, paragraphs_of
from transcript.transcript import Segment, Transcript

_OPTIONS = CueOptions()
_TALK = transcript_of(
    spoken("Shall we begin?", 0.9, 2.0, speaker="SPEAKER_00"),
    spoken("Everybody is here.", 2.0, 3.0, speaker="SPEAKER_00"),
    spoken("Not *quite* <b>all</b>.", 3661.0, 3662.0, speaker="SPEAKER_01"),
    spoken("Who?", 3662.0, 3663.0),
)
# In bold and what else CommonMark knows; tables and struck-through text of GitHub's.
_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _said(transcript: Transcript) -> list[tuple[str, str | None, str]]:
    return [(clock(part.start), part.speaker, part.text) for part in paragraphs_of(transcript)]


def _read_md(content: str) -> list[tuple[str, str | None, str]]:
    """Read the paragraphs of a file; anything but a heading, text and bold text is refused."""
    said = []
    for token in _MARKDOWN.parse(content)[6:]:  # behind heading and summary
        assert token.type in ("paragraph_open", "inline", "paragraph_close")
        parts = token.children or []
        assert {part.type for part in parts} <= {
            "text",
            "text_special",
            "strong_open",
            "strong_close",
        }
        if parts:
            said.append(_parted([(part.type, part.content) for part in parts]))
    return said


def _parted(parts: list[tuple[str, str]]) -> tuple[str, str | None, str]:
    whole = "".join({"strong_open": "\x02", "strong_close": "\x03"}.get(*part) for part in parts)
    match = re.fullmatch(r"(\S+) (?:\x02(.*):\x03 )?(.*)", whole)
    assert match
    return match[1], match[2], match[3]


def test_md_looks_like_this() -> None:
    assert to_md(_TALK, _OPTIONS) == (
        "# Transcript\n"
        "\n"
        "Duration: 01:02:03 · Language: en\n"
        "\n"
        "00:00:00 **SPEAKER\\_00:** Shall we begin? Everybody is here.\n"
        "\n"
        "01:01:01 **SPEAKER\\_01:** Not \\*quite\\* &lt;b&gt;all&lt;/b&gt;.\n"
        "\n"
        "01:01:02 Who?\n"
    )
    assert "SPEAKER" not in to_md(_TALK, CueOptions(speaker_labels=False))


@seeded
@given(transcript=transcripts())
def test_md_reads_back_as_it_was_and_holds_no_markup(transcript: Transcript) -> None:
    assert _read_md(to_md(transcript, _OPTIONS)) == _said(transcript)


_marks = st.text(alphabet="*_`~[]()<>!#+-=|\\&;:{}^$\"' .1ab/\n", min_size=1, max_size=20)


@seeded
@given(text=_marks, speaker=_marks)
def test_no_punctuation_becomes_markup(text: str, speaker: str) -> None:
    transcript = transcript_of(Segment(id=0, start=0, end=1, text=text, speaker=speaker))

    assert _read_md(to_md(transcript, _OPTIONS)) == _said(transcript)


@pytest.mark.parametrize(
    "said",
    ["![x](http://x.y/z)", "<script>alert(1)</script>", "&lt;b&gt;", "~~a~~ | b |", "&#x3c;b>"],
)
def test_html_is_shown_as_it_was_said(said: str) -> None:
    content = to_md(transcript_of(spoken(said, 0, 1)), _OPTIONS)
    rendered = _MARKDOWN.render(content).splitlines()[-1]

    assert unescape(rendered) == f"<p>00:00:00 {said}</p>"
    assert re.findall("<[^>]*>", rendered) == ["<p>", "</p>"]


def _read_docx(content: bytes) -> list[tuple[str, str | None, str]]:
    said = []
    for paragraph in Document(io.BytesIO(content)).paragraphs[2:]:
        time, *speaker, text = (run.text for run in paragraph.runs)
        assert [run.text for run in paragraph.runs if run.bold] == speaker[:1]
        said.append((time.rstrip(), speaker[0][:-1] if speaker else None, text))
    return said


def test_docx_looks_like_this() -> None:
    document = Document(io.BytesIO(to_docx(_TALK, _OPTIONS)))

    assert [paragraph.text for paragraph in document.paragraphs] == [
        "Transcript",
        "Duration: 01:02:03 · Language: en",
        "00:00:00 SPEAKER_00: Shall we begin? Everybody is here.",
        "01:01:01 SPEAKER_01: Not *quite* <b>all</b>.",
        "01:01:02 Who?",
    ]
    assert "SPEAKER" not in str(_read_docx(to_docx(_TALK, CueOptions(speaker_labels=False))))


@seeded
@given(transcript=transcripts())
def test_docx_reads_back_as_it_was(transcript: Transcript) -> None:
    said = [
        (time, speaker, re.sub("[\ufffe\uffff]", "", text))
        for time, speaker, text in _said(transcript)
    ]

    assert _read_docx(to_docx(transcript, _OPTIONS)) == said


def test_docx_leaves_out_what_xml_forbids() -> None:
    text = "a\x00b\x08c\ufffed\uffffe\ud800f"
    transcript = transcript_of(Segment(id=0, start=0, end=1, text=text, speaker="A\uffff"))

    assert _read_docx(to_docx(transcript, _OPTIONS)) == [("00:00:00", "A", "abcde\ufffdf")]


def test_the_same_transcript_is_the_same_docx_and_tells_nothing_of_its_maker() -> None:
    content = to_docx(_TALK, _OPTIONS)
    archive = ZipFile(io.BytesIO(content))
    properties = Document(io.BytesIO(content)).core_properties

    assert content == to_docx(_TALK, _OPTIONS)
    assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert (properties.title, properties.author, properties.comments) == ("Transcript", "", "")
    assert (properties.created, properties.modified, properties.last_modified_by) == (
        None,
        None,
        "",
    )
    assert not {"docProps/app.xml", "docProps/thumbnail.jpeg"} & set(archive.namelist())


def test_minutes_of_nothing_are_a_heading_and_a_duration() -> None:
    nothing = Transcript(text="", language=None, duration=61.9)

    assert to_md(nothing, _OPTIONS) == "# Transcript\n\nDuration: 00:01:01\n"
    document = Document(io.BytesIO(to_docx(nothing, _OPTIONS)))
    assert [part.text for part in document.paragraphs] == ["Transcript", "Duration: 00:01:01"]


def test_right_to_left_and_chinese_text_stay_as_they_are() -> None:
    transcript = transcript_of(spoken("مرحبا بالعالم", 0, 1), spoken("今天天气很好。", 5, 6))

    said = [("00:00:00", None, "مرحبا بالعالم"), ("00:00:05", None, "今天天气很好。")]
    assert (
        _read_docx(to_docx(transcript, _OPTIONS)) == _read_md(to_md(transcript, _OPTIONS)) == said
    )
    assert printable("مرحبا بالعالم") == "مرحبا بالعالم"
