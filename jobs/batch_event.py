"""Say that a batch is over, as webhooks carry it."""

from datetime import UTC, datetime

from jobs.batch import Batch, BatchCounts
from jobs.event import Event
from jobs.ids import new_id
from jobs.webhook import EventType


def completion_of(batch: Batch, counts: BatchCounts) -> Event:
    """Return what those hear who want to know that all jobs of a batch are over."""
    now = datetime.now(UTC)
    shown = batch.model_dump(
        mode="json",
        include={
            *("id", "external_id", "tags", "metadata", "total"),
            *("created_at", "completed_at", "canceled_at"),
        },
    )
    return Event(
        id=new_id("evt", now),
        type=EventType.BATCH_COMPLETED,
        owner=batch.owner,
        at=now,
        data={
            **shown,
            "status": str(batch.status),
            "counts": counts.model_dump(),
            "links": links_of(batch),
        },
        batch_id=batch.id,
        webhook=batch.webhook,
    )


def links_of(batch: Batch) -> dict[str, str]:
    """Return where more is to be had of a batch."""
    root = f"/v1/batches/{batch.id}"
    return {"self": root, "jobs": f"/v1/jobs?batch_id={batch.id}", "results": f"{root}/results"}
