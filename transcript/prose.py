"""Write a transcript for reading, without times."""

from transcript.cue_options import CueOptions
from transcript.cues import label_of
from transcript.paragraphs import paragraphs_of
from transcript.transcript import Transcript


def to_txt(transcript: Transcript, options: CueOptions) -> str:
    """Write one line for each turn, with an empty line between two.

    A turn ends when another speaker begins or after a long pause. It opens with its speaker's
    label, where the speaker is known. An empty transcript is an empty file.
    """
    return "\n".join(
        f"{label_of(paragraph.speaker, options)}{paragraph.text}\n"
        for paragraph in paragraphs_of(transcript)
    )
