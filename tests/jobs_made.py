"""Make jobs for tests."""

from datetime import UTC, datetime

from jobs.job import Job, Media, new_job_id
from jobs.options import JobOptions


def a_job(*, owner: str = "anonymous", options: JobOptions | None = None) -> Job:
    """Return a job as the front door makes it."""
    return Job(
        id=new_job_id(),
        owner=owner,
        options=options or JobOptions(),
        media=Media(filename="call.wav", bytes=4, sha256="0" * 64),
        created_at=datetime.now(UTC),
    )
