"""Show a job to its client."""

from typing import Any

from jobs.job import Job, JobStatus


def job_json(job: Job, *, queue_position: int | None) -> dict[str, Any]:
    """Return what clients see of a job: everything but its owner and its lease."""
    shown = job.model_dump(
        mode="json", exclude={"owner", "lease", "failure", "transcript"}, exclude_none=False
    )
    failure = job.failure.model_dump(mode="json") if job.failure else None
    return {
        **shown,
        "queue_position": queue_position,
        "error": failure,
        "usage": _usage(job),
        "links": _links(job),
    }


def _usage(job: Job) -> dict[str, float] | None:
    if job.media.seconds is None or job.finished_at is None or job.started_at is None:
        return None
    spent = (job.finished_at - job.started_at).total_seconds()
    return {
        "audio_seconds": round(job.media.seconds, 3),
        "processing_seconds": round(spent, 3),
        # Seconds of work for one of sound; under 1 is faster than listening.
        "realtime_factor": round(spent / max(job.media.seconds, 0.001), 4),
    }


def _links(job: Job) -> dict[str, str]:
    links = {"self": f"/v1/jobs/{job.id}"}
    if job.status is JobStatus.SUCCEEDED:
        links["transcript"] = f"/v1/jobs/{job.id}/transcript"
    return links
