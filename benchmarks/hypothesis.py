"""Name the contenders, and hold what one of them made of a recording."""

from dataclasses import dataclass

from benchmarks.scoring import SpeakerTurn, TimedWord

WHISPERX, OURS = "WhisperX", "this pipeline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """What a contender heard, and how long it took."""

    text: str
    words: tuple[TimedWord, ...]  # without those that it gave no times
    turns: tuple[SpeakerTurn, ...]
    seconds: float  # wall time
