r"""Write a transcript as minutes of a meeting, in Markdown.

What was said never becomes markup: characters that mean something to CommonMark, to GitHub's
dialect or to Pandoc are escaped, and as each paragraph opens with its time, nothing said stands
where a list, a heading or a table could begin. HTML is written as entities rather than with
backslashes, for readers that hand HTML through unseen.

Readers that make links of bare addresses still do so; no escape keeps them from it.
"""

import re
from collections.abc import Iterator

from transcript.characters import printable
from transcript.cue_options import CueOptions
from transcript.paragraphs import Paragraph, clock, paragraphs_of
from transcript.transcript import Transcript

_SPECIAL = re.compile(r"[\\`*_{}\[\]#+!|~^=$]")
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def to_md(transcript: Transcript, options: CueOptions) -> str:
    """Write a heading, the duration and language, and a paragraph for each turn.

    A paragraph is one line: when it begins, who speaks (in bold, where known and wanted), and
    what is said.
    """
    return "\n\n".join(("# Transcript", _summary(transcript), *_lines(transcript, options))) + "\n"


def _summary(transcript: Transcript) -> str:
    language = f" · Language: {_escaped(transcript.language)}" if transcript.language else ""
    return f"Duration: {clock(transcript.duration)}{language}"


def _lines(transcript: Transcript, options: CueOptions) -> Iterator[str]:
    for paragraph in paragraphs_of(transcript):
        yield f"{clock(paragraph.start)} {_speaker(paragraph, options)}{_escaped(paragraph.text)}"


def _speaker(paragraph: Paragraph, options: CueOptions) -> str:
    if not paragraph.speaker or not options.speaker_labels:
        return ""
    return f"**{_escaped(paragraph.speaker)}:** "


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", printable(text)).translate(_HTML)
