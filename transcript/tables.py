"""Write a transcript as a table, one row for each segment."""

from transcript.characters import printable
from transcript.cue_options import CueOptions
from transcript.transcript import Transcript


def to_tsv(transcript: Transcript, options: CueOptions) -> str:
    """Write tab-separated values: start and end in seconds, text, speaker.

    As the format has it, nothing is quoted and no cell holds a tab or a line break: split each
    line at its tabs. The speaker is empty when unknown, or when no labels are wanted.
    """
    rows = ["start\tend\ttext\tspeaker"]
    for segment in transcript.segments:
        speaker = printable(segment.speaker or "") if options.speaker_labels else ""
        rows.append(f"{segment.start:.3f}\t{segment.end:.3f}\t{printable(segment.text)}\t{speaker}")
    return "\n".join(rows) + "\n"
