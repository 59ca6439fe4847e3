"""Write who spoke when as RTTM, the form that diarization is scored in."""

from transcript.cue_options import CueOptions
from transcript.transcript import Transcript

_FILE = "media"  # RTTM names the recording in every line, in one word


def to_rttm(transcript: Transcript, options: CueOptions) -> str:
    """Write one line a turn; where two people talk at once, their turns overlap.

    Source: NIST, "Rich Transcription Evaluation Plan", 2009, appendix A.
    """
    return "".join(
        f"SPEAKER {_FILE} 1 {turn.start:.3f} {turn.end - turn.start:.3f} "
        f"<NA> <NA> {turn.speaker} <NA> <NA>\n"
        for turn in transcript.turns
    )
