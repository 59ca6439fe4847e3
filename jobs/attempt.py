"""Say who makes an attempt at a job, and what came of it."""

import secrets
from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from jobs.stages import Stage
from transcript.transcript import Share, Transcript, TranscriptWarning

MAX_ATTEMPTS = 3  # a media file that kills its worker is not given a fourth


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Lease(_Value):
    """Which attempt holds a running job; when it runs out stands in Redis."""

    token: str  # unguessable; what a worker shows to prove that the job is still its own
    worker: str
    process: str = ""  # of all that ever ran, which; "" where nobody watches it
    is_alone: bool = True  # whether no other job ran in the process: if it dies, this one did it


class Failure(_Value):
    """Why a job failed: the one thing that polling, webhooks and logs show."""

    code: str
    message: str  # what happened and what to do next, for a client's eyes
    stage: Stage | None = None
    retryable: bool = False  # whether the same media may succeed later


class SetbackCode(StrEnum):
    """Why an attempt came to nothing."""

    CRASHED = "crashed"  # its process died, or was not heard of for the time of a lease
    STALLED = "stalled"  # it made no progress, and its process was ended for that
    OUT_OF_MEMORY = "out_of_memory"  # of the GPU or of the machine
    UNAVAILABLE = "unavailable"  # something that it needs did not answer


class Setback(_Value):
    """An attempt that came to nothing, although the job may yet succeed."""

    code: SetbackCode
    attempt: int
    at: AwareDatetime
    worker: str
    stage: Stage | None = None
    message: str | None = None  # None: the code says all there is to say


class StageSeconds(_Value):
    """How long a stage took."""

    name: Stage
    seconds: float


class Outcome(_Value):
    """What a finished run knows, besides the transcript in storage."""

    language: str | None
    language_confidence: Share | None
    warnings: tuple[TranscriptWarning, ...]
    stages: tuple[StageSeconds, ...]

    @classmethod
    def of(cls, transcript: Transcript, *, stages: tuple[StageSeconds, ...]) -> Self:
        """Return what the record keeps of a transcript."""
        return cls(
            language=transcript.language,
            language_confidence=transcript.language_confidence,
            warnings=transcript.warnings,
            stages=stages,
        )


def new_lease(worker: str, *, process: str = "", is_alone: bool = True) -> Lease:
    """Return a lease that nobody else can show."""
    return Lease(token=secrets.token_hex(8), worker=worker, process=process, is_alone=is_alone)


def failure_after(setback: Setback, earlier: tuple[Setback, ...]) -> Failure | None:
    """Return why a job fails after a setback; None: it may be tried again.

    Args:
        setback: of an attempt that counts.
        earlier: those before it.
    """
    where = f" in stage {setback.stage}" if setback.stage else ""
    codes = {each.code for each in earlier}
    if setback.code is SetbackCode.STALLED and setback.code in codes:
        return Failure(
            code="stalled",
            message=f"no progress for too long{where}, twice: the media may be at fault, or the "
            "worker is too slow for it (STALL_SECONDS)",
            stage=setback.stage,
            retryable=True,
        )
    if setback.code is SetbackCode.OUT_OF_MEMORY and setback.code in codes:
        return Failure(
            code="out_of_memory",
            message=f"out of memory{where}, also with half the batch: use a smaller model, cut the "
            "media into shorter pieces, or give the worker more memory",
            stage=setback.stage,
            retryable=True,
        )
    if setback.attempt < MAX_ATTEMPTS:
        return None
    return Failure(
        code="attempts_exhausted",
        message=f"{setback.attempt} attempts came to nothing; the last one {_ENDS[setback.code]}"
        f"{where}: the media may be at fault; try it in another format, or look into the worker's "
        "log",
        stage=setback.stage,
    )


_ENDS = {
    SetbackCode.CRASHED: "ended with the death of its worker",
    SetbackCode.STALLED: "made no progress",
    SetbackCode.OUT_OF_MEMORY: "ran out of memory",
    SetbackCode.UNAVAILABLE: "missed something that it needs",
}
