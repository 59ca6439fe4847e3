import csv
import io

import pytest
from hypothesis import given

from tests.unit.transcript.transcripts_made import seeded, spoken, transcript_of, transcripts
from transcript.characters import printable
from transcript.cue_options import CueOptions
from transcript.tables import to_csv, to_tsv
from transcript.transcript import Transcript

_OPTIONS = CueOptions()


def test_tsv_looks_like_this() -> None:
    transcript = transcript_of(
        spoken("One\ttwo\r\nthree.", 0.0, 1.2346, speaker="SPEAKER_00"), spoken("Four.", 2.0, 3.0)
    )

    assert to_tsv(transcript, _OPTIONS) == (
        "start\tend\ttext\tspeaker\n"
        "0.000\t1.235\tOne two three.\tSPEAKER_00\n"
        "2.000\t3.000\tFour.\t\n"
    )


@seeded
@given(transcript=transcripts())
def test_tsv_has_a_row_for_each_segment(transcript: Transcript) -> None:
    header, *rows = to_tsv(transcript, _OPTIONS).splitlines()
    cells = [row.split("\t") for row in rows]

    assert header == "start\tend\ttext\tspeaker"
    assert [len(row) for row in cells] == [4] * len(transcript.segments)
    for (start, end, _, _), segment in zip(cells, transcript.segments, strict=True):
        assert abs(float(start) - segment.start) <= 0.000_501
        assert abs(float(end) - segment.end) <= 0.000_501


def _read(content: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content, newline=""), strict=True))


def _unguarded(cell: str) -> str:
    """What the docstring of `to_csv` tells a program to do."""
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'")[:1] in FORMULA_STARTS else cell


FORMULA_STARTS = tuple(
    "=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
    "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)


def test_csv_looks_like_this() -> None:
    transcript = transcript_of(
        spoken('One, "two"\r\nthree.', 0.0, 1.2346, speaker="SPEAKER_00"), spoken("Four.", 2.0, 3.0)
    )

    assert to_csv(transcript, _OPTIONS) == (
        "start,end,speaker,text\r\n"
        '0.000,1.235,SPEAKER_00,"One, ""two"" three."\r\n'
        "2.000,3.000,,Four.\r\n"
    )
    assert "SPEAKER" not in to_csv(transcript, CueOptions(speaker_labels=False))


@seeded
@given(transcript=transcripts())
def test_csv_reads_back_as_it_was(transcript: Transcript) -> None:
    header, *rows = _read(to_csv(transcript, _OPTIONS))

    assert header == ["start", "end", "speaker", "text"]
    for (start, end, speaker, text), segment in zip(rows, transcript.segments, strict=True):
        assert abs(float(start) - segment.start) <= 0.000_501
        assert abs(float(end) - segment.end) <= 0.000_501
        assert _unguarded(speaker) == printable(segment.speaker or "")
        assert _unguarded(text) == printable(segment.text)


@seeded
@given(transcript=transcripts())
def test_no_cell_of_csv_is_a_formula(transcript: Transcript) -> None:
    cells = [cell for row in _read(to_csv(transcript, _OPTIONS)) for cell in row]

    assert not any(cell.startswith((*FORMULA_STARTS, "\t", "\r")) for cell in cells)


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_what_a_spreadsheet_would_run_is_guarded(start: str) -> None:
    said = f"{start}HYPERLINK(1)"
    transcript = transcript_of(spoken(said, 0, 1, speaker=f"{start}A1"), spoken(f"'{said}", 1, 2))

    _, (_, _, speaker, text), (_, _, _, quoted) = _read(to_csv(transcript, _OPTIONS))

    assert (speaker, text, quoted) == (f"'{start}A1", f"'{said}", f"''{said}")
