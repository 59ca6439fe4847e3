"""Show a batch to its owner, and guess when it will be over."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from api.services import Services
from jobs.addresses import shown_url
from jobs.batch import BatchCounts, BatchStatus
from jobs.batch_event import links_of
from jobs.batches import CountedBatch
from jobs.figures import Backlog
from jobs.job import Job
from jobs.options import Priority
from jobs.status import JobStatus
from jobs.webhook import Webhook

_LOOKED_AT = 100  # of a batch's last jobs, to find the last one that waits


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class BatchView(_View):
    """Everything of a batch but its owner."""

    id: str
    external_id: str | None
    tags: tuple[str, ...]
    metadata: dict[str, JsonValue]
    status: BatchStatus
    total: int = Field(description="jobs that it was sent with")
    counts: BatchCounts
    progress: float = Field(ge=0, le=1, description="of all its jobs, those that run included")
    eta_seconds: float | None = Field(
        description="until it may be over, if nobody comes in between; null: unknown"
    )
    created_at: AwareDatetime
    canceled_at: AwareDatetime | None
    completed_at: AwareDatetime | None
    webhook: Webhook | None
    links: dict[str, str]


class BatchPage(_View):
    """Some batches, newest first."""

    data: tuple[BatchView, ...]
    next_cursor: str | None = Field(description="the `cursor` of the next page")
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a guess is made of."""

    backlog: Backlog
    slots: int  # jobs that all workers do at once

    @classmethod
    def of(cls, services: Services) -> "Outlook":
        """Return how things stand now."""
        slots = sum(worker.slots for worker in services.workers.alive())
        return cls(backlog=services.figures.backlog(), slots=slots)

    def seconds_of(self, jobs: float) -> float | None:
        """Guess how long a worker that does one job at a time has for so many."""
        pace = self.backlog.pace
        return jobs * pace.processing_seconds / pace.jobs if pace.jobs else None

    def seconds_before(self, queue: Priority) -> float | None:
        """Guess how long one has for what is more urgent than a queue."""
        total = 0.0
        for figures in self.backlog.queues:
            if figures.name is queue:
                break
            seconds = self.backlog.pace.processing_seconds_of(figures)
            if seconds is None:
                return None
            total += seconds
        return total


def view_of(services: Services, found: CountedBatch, outlook: Outlook) -> BatchView:
    """Return what clients see of a batch."""
    batch, counts = found.batch, found.counts
    running = services.batches.running(batch) if counts.running else []
    return BatchView(
        id=batch.id,
        external_id=batch.external_id,
        tags=batch.tags,
        metadata=batch.metadata,
        status=batch.status,
        total=batch.total,
        counts=counts,
        progress=_progress(found, running),
        eta_seconds=_eta_seconds(services, found, running, outlook),
        created_at=batch.created_at,
        canceled_at=batch.canceled_at,
        completed_at=batch.completed_at,
        webhook=_shown(batch.webhook),
        links=links_of(batch),
    )


def _shown(webhook: Webhook | None) -> Webhook | None:
    """Return a webhook without the query of its address, where tokens are."""
    if webhook is None:
        return None
    return webhook.model_copy(update={"url": shown_url(webhook.url)})


def _progress(found: CountedBatch, running: Sequence[Job]) -> float:
    counts = found.counts
    over = counts.kept - counts.unfinished + counts.deleted
    return round(min(1.0, (over + sum(job.progress for job in running)) / found.batch.total), 4)


def _eta_seconds(
    services: Services, found: CountedBatch, running: Sequence[Job], outlook: Outlook
) -> float | None:
    if not found.counts.unfinished:
        return 0.0 if found.batch.is_accepted else None
    under_way = outlook.seconds_of(sum(1 - job.progress for job in running))
    if not outlook.slots or under_way is None:
        return None
    if not found.counts.queued:
        return round(under_way / min(outlook.slots, max(1, len(running))), 1)
    before = outlook.seconds_before(found.batch.priority)
    mine = outlook.seconds_of(_goes_first(services, found) + 1)
    if before is None or mine is None:
        return None
    return round((before + mine + under_way) / outlook.slots, 1)


def _goes_first(services: Services, found: CountedBatch) -> int:
    """Return how many jobs of its queue go before the last of a batch.

    Owners take turns, so of the others' jobs only as many count as come before its own turn.
    """
    last = services.batches.last_job_ids(found.batch, limit=_LOOKED_AT)
    for job in services.store.get_many(last):
        if job.status is JobStatus.QUEUED:
            position = services.figures.queue_position(job)
            if position is not None:
                return position
    return found.counts.queued - 1  # its last jobs were quicker than the rest
