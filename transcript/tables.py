"""Write a transcript as a table, one row for each segment."""

import csv
import io
import re

from transcript.characters import printable
from transcript.cue_options import CueOptions
from transcript.transcript import Segment, Transcript

# What spreadsheets take for the start of a formula, full-width forms included (OWASP, "CSV
# Injection"), whether or not it is already guarded.
_FORMULA = re.compile(r"(?='*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20])")


def to_tsv(transcript: Transcript, options: CueOptions) -> str:
    """Write tab-separated values: start and end in seconds, text, speaker.

    As the format has it, nothing is quoted and no cell holds a tab or a line break: split each
    line at its tabs. The speaker is empty when unknown, or when no labels are wanted.
    """
    rows = ["start\tend\ttext\tspeaker"]
    for segment in transcript.segments:
        speaker = _speaker(segment, options)
        rows.append(f"{segment.start:.3f}\t{segment.end:.3f}\t{printable(segment.text)}\t{speaker}")
    return "\n".join(rows) + "\n"


def to_csv(transcript: Transcript, options: CueOptions) -> str:
    """Write comma-separated values (RFC 4180): start and end in seconds, speaker, text.

    A speaker or text that a spreadsheet would run as a formula, because it begins with one of
    `= + - @`, a tab or a carriage return, has an apostrophe before it, and so has one that begins
    with apostrophes and then such a character: a program that wants the very text takes the first
    apostrophe away. The speaker is empty when unknown, or when no labels are wanted.
    """
    content = io.StringIO()
    writer = csv.writer(content)  # its line ends and quotes are RFC 4180's
    writer.writerow(("start", "end", "speaker", "text"))
    writer.writerows(
        (
            f"{segment.start:.3f}",
            f"{segment.end:.3f}",
            _guarded(_speaker(segment, options)),
            _guarded(printable(segment.text)),
        )
        for segment in transcript.segments
    )
    return content.getvalue()


def _speaker(segment: Segment, options: CueOptions) -> str:
    return printable(segment.speaker or "") if options.speaker_labels else ""


def _guarded(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text
