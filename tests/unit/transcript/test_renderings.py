import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.unit.transcript.transcripts_made import seeded, spoken, transcript_of, transcripts
from transcript.cue_options import CueOptions
from transcript.renderings import RENDERINGS, UnknownRendering, render
from transcript.transcript import Segment, Speaker, Transcript, Word


def _is_surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"


@pytest.mark.parametrize("name", RENDERINGS)
def test_every_format_writes_an_empty_transcript(name: str) -> None:
    empty = {
        "srt": b"",
        "vtt": b"WEBVTT\n",
        "txt": b"",
        "tsv": b"start\tend\ttext\tspeaker\n",
        "csv": b"start,end,speaker,text\r\n",
        "md": b"# Transcript\n\nDuration: 00:00:00 \xc2\xb7 Language: en\n",
        "rttm": b"",
    }
    content = render(transcript_of(silence=0), name)

    assert content == empty.get(name, content)
    assert name != "json" or Transcript.model_validate_json(content) == transcript_of(silence=0)


@seeded
@given(transcript=transcripts(), highlight_words=st.booleans())
def test_every_text_can_be_read_as_utf_8(transcript: Transcript, highlight_words: bool) -> None:  # noqa: FBT001
    options = CueOptions(highlight_words=highlight_words)
    for name in (name for name, way in RENDERINGS.items() if way.is_text):
        text = render(transcript, name, options).decode()

        assert "\x00" not in text
        assert "\x02" not in text or name == "json"


def test_suffixes_and_media_types_are_what_the_world_calls_them() -> None:
    assert {name: (way.suffix, way.media_type) for name, way in RENDERINGS.items()} == {
        "json": (".json", "application/json"),
        "srt": (".srt", "application/x-subrip"),
        "vtt": (".vtt", "text/vtt"),
        "txt": (".txt", "text/plain"),
        "tsv": (".tsv", "text/tab-separated-values"),
        "ass": (".ass", "text/x-ssa"),
        "csv": (".csv", "text/csv"),
        "md": (".md", "text/markdown"),
        "rttm": (".rttm", "text/plain"),
        "docx": (
            ".docx",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
    }
    assert [name for name, way in RENDERINGS.items() if not way.is_text] == ["docx"]


def test_formats_without_cues_take_no_notice_of_options_for_cues() -> None:
    transcript = transcript_of(spoken("One two three.", 0, 3, speaker="SPEAKER_00"))
    options = CueOptions(highlight_words=True, max_chars_per_line=10)

    for name in ("json", "txt", "tsv", "csv", "md", "rttm", "docx"):
        assert render(transcript, name, options) == render(transcript, name)


def test_an_unknown_format_is_refused_with_the_names_of_the_known() -> None:
    with pytest.raises(UnknownRendering, match=r"format 'mp3': .* json, srt, vtt"):
        render(transcript_of(), "mp3")


@seeded
@given(transcript=transcripts())
def test_json_reads_back_as_it_was(transcript: Transcript) -> None:
    read = Transcript.model_validate_json(render(transcript, "json"))
    has_halves = any(map(_is_surrogate, json.dumps(transcript.model_dump(), ensure_ascii=False)))

    assert has_halves or read == transcript
    assert Transcript.model_validate_json(render(read, "json")) == read


def test_json_leaves_out_a_speaker_that_is_not_known() -> None:
    transcript = transcript_of(
        spoken("Who?", 0.0, 1.0), spoken("Me.", 1.0, 2.0, speaker="SPEAKER_00")
    ).model_copy(update={"speakers": (Speaker(label="SPEAKER_00", seconds=1.0),)})

    document = json.loads(render(transcript, "json"))

    assert "speaker" not in document["segments"][0]
    assert "speaker" not in document["segments"][0]["words"][0]
    assert document["segments"][0]["words"][0]["score"] is None
    assert document["segments"][1]["speaker"] == "SPEAKER_00"
    assert document["speakers"] == [{"label": "SPEAKER_00", "seconds": 1.0}]


def test_json_never_holds_a_nan() -> None:
    transcript = Transcript.model_construct(
        text="", language=None, duration=math.nan, segments=(), speakers=()
    )

    with pytest.raises(ValueError, match="JSON compliant"):
        render(transcript, "json")


def test_json_replaces_halves_of_surrogate_pairs() -> None:
    word = Word(word="a\ud800", start=0, end=1)
    transcript = transcript_of(Segment(id=0, start=0, end=1, text="a\ud800", words=(word,)))

    read = Transcript.model_validate_json(render(transcript, "json"))

    assert read.segments[0].words[0].word == "a\ufffd"


def test_txt_is_a_paragraph_for_each_turn() -> None:
    transcript = transcript_of(
        spoken("Hello.", 0.0, 1.0, speaker="SPEAKER_00"),
        spoken("How are\nyou?", 1.1, 2.0, speaker="SPEAKER_00"),
        spoken("Fine.", 2.0, 3.0, speaker="SPEAKER_01"),
        spoken("Thanks.", 6.0, 7.0, speaker="SPEAKER_01"),
        spoken("Who said that?", 7.0, 8.0),
    )

    assert render(transcript, "txt").decode() == (
        "[SPEAKER_00] Hello. How are you?\n"
        "\n"
        "[SPEAKER_01] Fine.\n"
        "\n"
        "[SPEAKER_01] Thanks.\n"
        "\n"
        "Who said that?\n"
    )


def test_txt_is_plain_without_speakers() -> None:
    transcript = transcript_of(spoken("One.", 0.0, 1.0), spoken("Two.", 1.0, 2.0))
    labelled = transcript_of(spoken("One.", 0.0, 1.0, speaker="SPEAKER_00"))

    assert render(transcript, "txt").decode() == "One. Two.\n"
    assert render(labelled, "txt", CueOptions(speaker_labels=False)).decode() == "One.\n"


def test_txt_puts_no_space_between_chinese_sentences() -> None:
    transcript = transcript_of(
        spoken("你好。", 0.0, 1.0), spoken("再见。", 1.0, 2.0), spoken("OK", 2.0, 3.0)
    )

    assert render(transcript, "txt").decode() == "你好。再见。 OK\n"


@pytest.mark.parametrize(
    "asked",
    [
        {"max_chars_per_line": 3},
        {"max_chars_per_line": 1000},
        {"max_lines_per_cue": 0},
        {"max_chars_per_second": 0},
        {"min_cue_seconds": -1},
        {"max_cue_seconds": math.inf},
        {"min_cue_seconds": 5, "max_cue_seconds": 4},
        {"colour": "red"},
        {"highlight_words": True, "word_level": True},
    ],
)
def test_options_outside_of_reason_are_refused(asked: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CueOptions.model_validate(asked)


def test_options_may_come_as_the_text_of_a_query() -> None:
    options = CueOptions.model_validate(
        {"max_chars_per_line": "32", "max_cue_seconds": "5.5", "speaker_labels": "false"}
    )

    assert options == CueOptions(max_chars_per_line=32, max_cue_seconds=5.5, speaker_labels=False)
