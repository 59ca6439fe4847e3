"""Hold what is known of one batch: many jobs that were sent, are watched and end together."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from jobs.options import Priority, ShortText
from jobs.status import JobStatus
from jobs.webhook import Webhook

MAX_ITEMS = 10_000  # jobs of one batch


class BatchStatus(StrEnum):
    """Where a batch stands."""

    ACCEPTING = "accepting"  # its jobs are still being written down; none of them can be lost
    RUNNING = "running"  # some of its jobs are not over
    COMPLETED = "completed"  # all of them are over
    CANCELED = "canceled"  # all of them are over, because its owner withdrew it


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BatchCounts(_Value):
    """How many jobs of a batch stand where."""

    queued: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    canceled: int = 0
    deleted: int = 0

    @property
    def unfinished(self) -> int:
        """Jobs that are not over."""
        return self.queued + self.running

    @property
    def kept(self) -> int:
        """Jobs that have a record."""
        return self.unfinished + self.succeeded + self.failed + self.canceled


class Batch(_Value):
    """Many jobs under one id. Change it by its methods."""

    id: str  # bat_…
    owner: str
    total: Annotated[int, Field(ge=1, le=MAX_ITEMS)]  # jobs, whatever becomes of them
    external_id: ShortText | None = None
    tags: tuple[ShortText, ...] = ()
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    webhook: Webhook | None = None
    priority: Priority = Priority.BATCH  # of its least urgent job
    has_headers: bool = False  # whether its manifest holds what opens addresses
    created_at: AwareDatetime
    is_accepted: bool = False  # whether all its jobs were written down
    canceled_at: AwareDatetime | None = None  # when its owner withdrew it
    completed_at: AwareDatetime | None = None  # when its last job was over
    deleted_at: AwareDatetime | None = None  # from then on it is gone for its owner

    @property
    def is_canceling(self) -> bool:
        """Whether jobs that are not over are to be canceled."""
        return self.completed_at is None and (self.canceled_at or self.deleted_at) is not None

    @property
    def status(self) -> BatchStatus:
        """Where it stands."""
        if not self.is_accepted:
            return BatchStatus.ACCEPTING
        if self.completed_at is None:
            return BatchStatus.RUNNING
        return BatchStatus.COMPLETED if self.canceled_at is None else BatchStatus.CANCELED

    def accepted(self) -> Self:
        """Note that all jobs are written down."""
        return self.model_copy(update={"is_accepted": True})

    def canceled(self, now: datetime) -> Self:
        """Withdraw what is not over; the first time counts, and one that is over stays as it is."""
        if self.canceled_at is not None or self.completed_at is not None:
            return self
        return self.model_copy(update={"canceled_at": now})

    def completed(self, now: datetime) -> Self:
        """Note that its last job is over."""
        return self.model_copy(update={"completed_at": now})

    def reopened(self) -> Self:
        """Note that one of its jobs runs again; one that is being canceled stays so."""
        if self.completed_at is None:
            return self
        return self.model_copy(update={"completed_at": None, "canceled_at": None})

    def deleted(self, now: datetime) -> Self:
        """Give it up with all its jobs."""
        return self.model_copy(update={"deleted_at": self.deleted_at or now})


def counts_of(batch: Batch, counted: dict[str, str]) -> BatchCounts:
    """Return what Redis counts of a batch; what has no record any more was deleted."""
    kept = {status: max(0, int(counted.get(status, 0))) for status in JobStatus}
    missing = batch.total - sum(kept.values())
    return BatchCounts(
        **{str(status): number for status, number in kept.items()},
        deleted=max(0, missing) if batch.is_accepted else 0,
    )
