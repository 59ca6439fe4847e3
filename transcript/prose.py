"""Write a transcript for reading, without times."""

from collections.abc import Iterator

from transcript.characters import joins_without_space, printable
from transcript.cue_options import CueOptions
from transcript.cues import label_of
from transcript.transcript import Transcript

PARAGRAPH_PAUSE_SECONDS = 2.0  # of silence; a monologue would be one wall of text without it


def to_txt(transcript: Transcript, options: CueOptions) -> str:
    """Write one line for each turn, with an empty line between two.

    A turn ends when another speaker begins or after a long pause. It opens with its speaker's
    label, where the speaker is known. An empty transcript is an empty file.
    """
    return "\n".join(
        f"{label_of(speaker, options)}{text}\n" for speaker, text in _turns(transcript)
    )


def _turns(transcript: Transcript) -> Iterator[tuple[str | None, str]]:
    """Yield speaker and text of each turn."""
    texts: list[str] = []
    speaker: str | None = None
    silent_from = 0.0
    for segment in transcript.segments:
        text = printable(segment.text)
        if not text:
            continue
        current = printable(segment.speaker or "") or None
        pause = segment.start - silent_from
        if texts and (current != speaker or pause >= PARAGRAPH_PAUSE_SECONDS):
            yield speaker, "".join(texts)
            texts = []
        if texts and not joins_without_space(texts[-1], text):
            texts.append(" ")
        texts.append(text)
        speaker, silent_from = current, max(silent_from, segment.end)
    if texts:
        yield speaker, "".join(texts)
