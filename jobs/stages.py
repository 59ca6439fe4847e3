"""Name the steps a job goes through while a worker holds it."""

from enum import StrEnum


class Stage(StrEnum):
    """What a running job is doing, in this order."""

    FETCH = "fetch"  # media comes from object storage to the worker's disk
    DECODE = "decode"  # media becomes a waveform
    TRANSCRIBE = "transcribe"  # voice activity, language, text
    ALIGN = "align"  # every word gets its start and end
    DIARIZE = "diarize"  # who spoke when; words get their speaker
    STORE = "store"  # transcripts go to object storage


# How much of a whole job each stage is, by time on the sample call; only for the progress bar.
_SHARE = {
    Stage.FETCH: 0.02,
    Stage.DECODE: 0.05,
    Stage.TRANSCRIBE: 0.40,
    Stage.ALIGN: 0.10,
    Stage.DIARIZE: 0.41,
    Stage.STORE: 0.02,
}


def overall(stage: Stage, fraction: float) -> float:
    """Return how much of the whole job is done, from 0 to 1, with `fraction` of a stage."""
    before = 0.0
    for other, share in _SHARE.items():
        if other is stage:
            return round(min(1.0, before + share * min(1.0, max(0.0, fraction))), 4)
        before += share
    raise AssertionError(stage)
