"""Know the formats of transcripts, so that a misspelt one is told before an upload."""

import typer

from client.errors import Misuse

FORMATS = ("json", "srt", "vtt", "txt", "tsv", "ass", "csv", "md", "rttm", "docx")
BINARY = frozenset({"docx"})

FormatsOption = typer.Option(
    "--formats", "-f", metavar="FORMATS", help=f"With commas between, of: {' '.join(FORMATS)}."
)


def formats_in(text: str) -> tuple[str, ...]:
    """Return the formats of a list with commas, each once.

    Raises:
        Misuse: there is none, or one is unknown.
    """
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        msg = f"unknown format {', '.join(unknown) or repr(text)}; known are: {', '.join(FORMATS)}"
        raise Misuse(msg)
    return names
