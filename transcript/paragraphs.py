"""Put what one person says in one go together."""

from collections.abc import Iterator
from dataclasses import dataclass

from transcript.characters import joins_without_space, printable
from transcript.transcript import Transcript

PARAGRAPH_PAUSE_SECONDS = 2.0  # of silence; a monologue would be one wall of text without it


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """What one person says before another begins, or before a long pause."""

    start: float  # seconds
    speaker: str | None  # printable; None: unknown
    text: str  # printable, one line, never empty


def paragraphs_of(transcript: Transcript) -> Iterator[Paragraph]:
    """Yield the paragraphs of a transcript, in the order of its segments."""
    texts: list[str] = []
    speaker: str | None = None
    start = silent_from = 0.0
    for segment in transcript.segments:
        text = printable(segment.text)
        if not text:
            continue
        current = printable(segment.speaker or "") or None
        pause = segment.start - silent_from
        if texts and (current != speaker or pause >= PARAGRAPH_PAUSE_SECONDS):
            yield Paragraph(start=start, speaker=speaker, text="".join(texts))
            texts = []
        if not texts:
            start = segment.start
        elif not joins_without_space(texts[-1], text):
            texts.append(" ")
        texts.append(text)
        speaker, silent_from = current, max(silent_from, segment.end)
    if texts:
        yield Paragraph(start=start, speaker=speaker, text="".join(texts))


def clock(seconds: float) -> str:
    """Write a time for a reader to go to: whole seconds, rounded down so that no word is missed."""
    minutes, whole = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{whole:02}"
