"""Hold what is known of one job, and the moves it may make."""

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from jobs.attempt import (
    Failure,
    Lease,
    Outcome,
    Setback,
    SetbackCode,
    StageSeconds,
    failure_after,
)
from jobs.errors import LeaseLost
from jobs.media import Media
from jobs.options import JobOptions
from jobs.request_errors import IllegalMove
from jobs.retention import Retention
from jobs.source import Source, UrlSource
from jobs.stages import Stage, overall
from jobs.status import MOVES, JobStatus
from jobs.webhook import PROGRESS_SECONDS
from transcript.transcript import Share, TranscriptWarning

SETBACKS_KEPT = 8
_OF_THE_PROCESS = (SetbackCode.CRASHED, SetbackCode.OUT_OF_MEMORY)  # all its jobs suffer it


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Job(_Value):
    """One request for a transcript, from its upload to its end. Change it by its methods."""

    id: str
    owner: str
    client_id: str | None = None  # the id its owner gave it by PUT
    batch_id: str | None = None
    options: JobOptions
    media: Media
    source: Source | None = None  # None: the media came with the request
    status: JobStatus = JobStatus.QUEUED
    stage: Stage | None = None  # while running
    progress: Annotated[float, Field(ge=0, le=1)] = 0.0  # never goes back
    attempt: int = 0  # claims so far
    lease: Lease | None = None  # while running
    setbacks: tuple[Setback, ...] = ()  # attempts that came to nothing, the latest few
    must_be_alone: bool = False  # whether it runs in a process without other jobs
    pause_seconds: float = 0.0  # while queued again: how long it waits before it may run
    told_at: AwareDatetime | None = None  # when webhooks were last told of its progress
    created_at: AwareDatetime
    started_at: AwareDatetime | None = None  # of the attempt under way, or the last one
    finished_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None  # when it is purged; None: not by itself
    media_expires_at: AwareDatetime | None = None  # its media alone; None: with it
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
            told_at=datetime.now(UTC),
            pause_seconds=0.0,
            stage=None,
        )

    def progressed(self, token: str, stage: Stage, fraction: float) -> Self:
        """Note that `fraction` of a stage is done, and every now and then that it was told."""
        self._must_be_held(token)
        now, told_at = datetime.now(UTC), self.told_at
        if told_at is None or (now - told_at).total_seconds() >= PROGRESS_SECONDS:
            told_at = now
        return self.model_copy(
            update={
                "stage": stage,
                "progress": max(self.progress, overall(stage, fraction)),
                "told_at": told_at,
            }
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

    def fetched(self, token: str, media: Media) -> Self:
        """Note that the media is in storage now; what opened its address is forgotten."""
        self._must_be_held(token)
        source = self.source
        if isinstance(source, UrlSource):
            source = source.model_copy(update={"headers": {}})
        return self.model_copy(update={"media": media, "source": source})

    def retried(self) -> Self:
        """Run again from the beginning, because its owner asks for it.

        Raises:
            IllegalMove: it is neither failed nor canceled.
            MediaNotKept: its media was deleted, and nobody but its owner has it.
        """
        if not self.status.is_final:
            msg = f"the job is {self.status}; only one that failed or was canceled can be retried"
            raise IllegalMove(msg)
        again = self._move(
            JobStatus.QUEUED,
            attempt=0,
            told_at=None,
            setbacks=(),
            must_be_alone=False,
            pause_seconds=0.0,
            progress=0.0,
            failure=None,
            warnings=(),
            stages=(),
            started_at=None,
            finished_at=None,
            expires_at=None,
            media_expires_at=None,
        )
        return again.model_copy(update={"media": self.media.to_run_again(self.source)})

    def kept_for(self, days: float | None, *, media_days: float | None = None) -> Self:
        """Set when a job that is over will be purged, and its media.

        Args:
            days: after its end, unless the job says otherwise; 0 or None: never by itself.
            media_days: the same of its media; 0: at once, None: with the job.
        """
        own = self.options.media_retention_days
        kept = Retention(
            days=self.options.retention_days or days, media_days=media_days if own is None else own
        )
        if self.finished_at is None:
            return self
        is_retryable = self.status is not JobStatus.SUCCEEDED
        media_until = kept.media_until(self.finished_at, is_retryable=is_retryable)
        return self.model_copy(
            update={
                "expires_at": kept.until(self.finished_at) or self.expires_at,
                "media_expires_at": media_until if self.is_media_kept else self.media_expires_at,
            }
        )

    def media_purged(self, now: datetime) -> Self:
        """Note that the media is about to be deleted: from now on nobody may rely on it.

        Raises:
            IllegalMove: it is not due: the job runs again.
        """
        if self.media_expires_at is None or self.media_expires_at > now:
            msg = f"the media of {self.id} is not due"
            raise IllegalMove(msg)
        return self.model_copy(update={"media": self.media.purged(now)})

    def media_gone(self) -> Self:
        """Note that the media was deleted, so that nobody tries again."""
        if self.media.purged_at is None:
            return self  # it runs again, with media that was fetched anew
        return self.model_copy(update={"media_expires_at": None})

    @property
    def processing_seconds(self) -> float | None:
        """How long the latest attempt took; None while there is no end to it."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(0.0, (self.finished_at - self.started_at).total_seconds())

    @property
    def is_media_kept(self) -> bool:
        """Whether the media is in our own storage."""
        return self.media.is_kept(self.source)

    @property
    def batch_share(self) -> float:
        """How much of the usual batch its next attempt may use, from 0 to 1."""
        codes = {setback.code for setback in self.setbacks}
        return 0.5 if SetbackCode.OUT_OF_MEMORY in codes else 1.0

    def set_back(
        self,
        code: SetbackCode,
        *,
        token: str | None = None,
        message: str | None = None,
        pause_seconds: float = 0.0,
    ) -> Self:
        """Lose the attempt: wait for the next one, or fail where there is none to come.

        What dies with its process is suspected, and runs alone from then on. Only what died alone
        has used up an attempt: of jobs that die together, most are innocent.

        Args:
            code: why.
            token: of the attempt that says so; None: its worker cannot say anything any more.
            message: what else is to be said.
            pause_seconds: until it may run again, so that what was away can come back.
        """
        lease = self._lease_in_force(token)
        setback = Setback(
            code=code,
            attempt=self.attempt,
            at=datetime.now(UTC),
            worker=lease.worker,
            stage=self.stage,
            message=message,
        )
        is_counted = lease.is_alone or code not in _OF_THE_PROCESS
        failure = failure_after(setback, self.setbacks) if is_counted else None
        noted = self.model_copy(
            update={
                "setbacks": (*self.setbacks, setback)[-SETBACKS_KEPT:],
                "must_be_alone": self.must_be_alone or code is not SetbackCode.UNAVAILABLE,
            }
        )
        if failure is not None:
            return noted.failed(failure)
        return noted.put_back(costs_attempt=is_counted, pause_seconds=pause_seconds)

    def put_back(
        self, *, token: str | None = None, costs_attempt: bool = False, pause_seconds: float = 0.0
    ) -> Self:
        """Wait for another worker, after this one handed the job back or had to end.

        Args:
            token: of the attempt that hands it back; None: its worker is gone.
            costs_attempt: whether the attempt counts.
            pause_seconds: until it may run again.
        """
        self._lease_in_force(token)
        return self._move(
            JobStatus.QUEUED,
            lease=None,
            stage=None,
            started_at=None,
            pause_seconds=pause_seconds,
            attempt=self.attempt if costs_attempt else self.attempt - 1,
        )

    def _lease_in_force(self, token: str | None) -> Lease:
        if token is not None:
            self._must_be_held(token)
        if self.lease is None:
            msg = f"the job is {self.status}: nobody holds it"
            raise IllegalMove(msg)
        return self.lease

    def canceled(self) -> Self:
        """Withdraw the job; a worker that holds it notices at its next sign of progress."""
        return self._move(JobStatus.CANCELED, stage=None, lease=None, finished_at=datetime.now(UTC))
