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
