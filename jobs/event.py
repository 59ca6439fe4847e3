"""Say what happened, as webhooks carry it."""

from datetime import UTC, datetime
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue

from jobs.ids import new_id
from jobs.job import Job
from jobs.status import JobStatus
from jobs.webhook import EventType, Webhook


class Event(BaseModel):
    """One thing that happened, and whom it concerns."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: str  # evt_…
    type: EventType
    owner: str
    at: AwareDatetime
    data: dict[str, JsonValue]
    job_id: str | None = None
    batch_id: str | None = None
    webhook: Webhook | None = None  # the job's or the batch's own

    @classmethod
    def of_job(cls, job: Job, kind: EventType) -> Self:
        """Return what happened to a job, as it is now."""
        now = datetime.now(UTC)
        return cls(
            id=new_id("evt", now),
            type=kind,
            owner=job.owner,
            at=now,
            data=_thin(job),
            job_id=job.id,
            batch_id=job.batch_id,
            webhook=job.options.webhook,
        )


_OF_STATUS = {
    JobStatus.SUCCEEDED: EventType.JOB_SUCCEEDED,
    JobStatus.FAILED: EventType.JOB_FAILED,
    JobStatus.CANCELED: EventType.JOB_CANCELED,
}


def event_of(job: Job, was: Job | None) -> EventType | None:
    """Return what a change of a record means to others; None: nothing."""
    if was is None or was.status is not job.status:
        if job.status is JobStatus.RUNNING:
            is_first = (
                was is None or was.told_at is None
            )  # attempts that were handed back count not
            return EventType.JOB_STARTED if is_first else None
        return _OF_STATUS.get(job.status)
    if job.status is JobStatus.RUNNING and job.told_at != was.told_at:
        return EventType.JOB_PROGRESS
    return None


def _thin(job: Job) -> dict[str, Any]:
    """Return enough to know the job and to fetch the rest; never the text that was said."""
    links = {"self": f"/v1/jobs/{job.id}"}
    if job.status is JobStatus.SUCCEEDED:
        links["transcript"] = f"/v1/jobs/{job.id}/transcript"
    shown = job.model_dump(
        mode="json",
        include={
            *("id", "client_id", "batch_id", "status", "stage", "progress", "attempt"),
            *("language", "created_at", "started_at", "finished_at"),
        },
    )
    return {
        **shown,
        "external_id": job.options.external_id,
        "tags": list(job.options.tags),
        "metadata": job.options.metadata,
        "media": {"filename": job.media.filename, "seconds": job.media.seconds},
        "error": job.failure.model_dump(mode="json") if job.failure else None,
        "links": links,
    }
