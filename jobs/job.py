"""Hold what is known of one job, and the moves it may make."""

import secrets
import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from jobs.errors import IllegalMove, LeaseLost
from jobs.options import JobOptions
from jobs.stages import Stage
from transcript.transcript import Share, Transcript, TranscriptWarning

MAX_ATTEMPTS = 3  # a media file that kills its worker is not given a fourth


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"  # accepted, waiting for a worker
    RUNNING = "running"  # a worker holds its lease
    SUCCEEDED = "succeeded"  # transcripts are in storage
    FAILED = "failed"  # `failure` says why
    CANCELED = "canceled"  # the client withdrew it

    @property
    def is_final(self) -> bool:
        """Whether the job will not move again by itself."""
        return not MOVES[self]


MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.FAILED, JobStatus.CANCELED}),
    # Back to QUEUED: its worker died, or handed it back when it was told to stop.
    JobStatus.RUNNING: frozenset(
        {JobStatus.QUEUED, JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED}
    ),
    JobStatus.SUCCEEDED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELED: frozenset(),
}

# How much of a whole job each stage is, by time on the sample call; only for the progress bar.
_SHARE_OF_STAGE = {
    Stage.FETCH: 0.02,
    Stage.DECODE: 0.05,
    Stage.TRANSCRIBE: 0.40,
    Stage.ALIGN: 0.10,
    Stage.DIARIZE: 0.41,
    Stage.STORE: 0.02,
}


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Media(_Value):
    """What was uploaded; `seconds` and `codec` are known once it was decoded."""

    filename: str  # as the client said, without folders; only ever shown, never opened
    bytes: int
    sha256: str
    content_type: str | None = None
    seconds: float | None = None
    codec: str | None = None


class Failure(_Value):
    """Why a job failed: the one thing that polling, webhooks and logs show."""

    code: str
    message: str  # what happened and what to do next, for a client's eyes
    stage: Stage | None = None
    retryable: bool = False  # whether the same media may succeed later


class StageSeconds(_Value):
    """How long a stage took."""

    name: Stage
    seconds: float


class Lease(_Value):
    """Which attempt holds a running job; when it runs out stands in Redis."""

    token: str  # unguessable; what a worker shows to prove that the job is still its own
    worker: str


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


class Job(_Value):
    """One request for a transcript, from its upload to its end. Change it by its methods."""

    id: str
    owner: str
    options: JobOptions
    media: Media
    status: JobStatus = JobStatus.QUEUED
    stage: Stage | None = None  # while running
    progress: Annotated[float, Field(ge=0, le=1)] = 0.0  # never goes back
    attempt: int = 0  # claims so far
    lease: Lease | None = None  # while running
    created_at: AwareDatetime
    started_at: AwareDatetime | None = None  # of the latest attempt
    finished_at: AwareDatetime | None = None
    language: str | None = None
    language_confidence: Share | None = None
    warnings: tuple[TranscriptWarning, ...] = ()
    stages: tuple[StageSeconds, ...] = ()
    transcript: str | None = None  # the attempt whose transcript counts, a part of its S3 key
    failure: Failure | None = None

    def _move(self, status: JobStatus, **changes: object) -> Self:
        if status not in MOVES[self.status]:
            msg = f"the job is {self.status} and cannot become {status}"
            raise IllegalMove(msg)
        return self.model_copy(update={"status": status, **changes})

    def _must_be_held(self, token: str) -> None:
        if self.lease is None or self.lease.token != token:
            msg = f"attempt {self.attempt} of {self.id} belongs to somebody else"
            raise LeaseLost(msg)

    def claimed(self, lease: Lease) -> Self:
        """Give the job to a worker and count the attempt."""
        return self._move(
            JobStatus.RUNNING,
            lease=lease,
            attempt=self.attempt + 1,
            started_at=datetime.now(UTC),
            stage=None,
        )

    def progressed(self, token: str, stage: Stage, fraction: float) -> Self:
        """Note that `fraction` of a stage is done."""
        self._must_be_held(token)
        return self.model_copy(
            update={"stage": stage, "progress": max(self.progress, _overall(stage, fraction))}
        )

    def measured(self, token: str, *, seconds: float, codec: str) -> Self:
        """Note what decoding found out about the media."""
        self._must_be_held(token)
        media = self.media.model_copy(update={"seconds": seconds, "codec": codec})
        return self.model_copy(update={"media": media})

    def succeeded(self, token: str, outcome: Outcome) -> Self:
        """End well: the transcript of this attempt is in storage."""
        self._must_be_held(token)
        return self._move(
            JobStatus.SUCCEEDED,
            transcript=token,
            progress=1.0,
            stage=None,
            lease=None,
            finished_at=datetime.now(UTC),
            language=outcome.language,
            language_confidence=outcome.language_confidence,
            warnings=outcome.warnings,
            stages=outcome.stages,
        )

    def failed(self, failure: Failure, *, token: str | None = None) -> Self:
        """End badly; `token` is None where no worker holds the job."""
        if token is not None:
            self._must_be_held(token)
        return self._move(
            JobStatus.FAILED,
            failure=failure,
            stage=None,
            lease=None,
            finished_at=datetime.now(UTC),
        )

    def put_back(self, *, token: str | None = None, costs_attempt: bool = True) -> Self:
        """Wait for another worker, after this one died or handed the job back."""
        if token is not None:
            self._must_be_held(token)
        return self._move(
            JobStatus.QUEUED,
            lease=None,
            stage=None,
            attempt=self.attempt if costs_attempt else self.attempt - 1,
        )

    def canceled(self) -> Self:
        """Withdraw the job; a worker that holds it notices at its next sign of progress."""
        return self._move(JobStatus.CANCELED, stage=None, lease=None, finished_at=datetime.now(UTC))


def _overall(stage: Stage, fraction: float) -> float:
    """Return how much of the whole job is done, from 0 to 1."""
    before = 0.0
    for other, share in _SHARE_OF_STAGE.items():
        if other is stage:
            return min(1.0, before + share * min(1.0, max(0.0, fraction)))
        before += share
    raise AssertionError(stage)


def new_job_id() -> str:
    """Return an id that sorts by time and cannot be guessed."""
    return f"job_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def new_lease(worker: str) -> Lease:
    """Return a lease that nobody else can show."""
    return Lease(token=secrets.token_hex(8), worker=worker)
