"""Make jobs for tests."""

from datetime import UTC, datetime

from jobs.ids import new_id
from jobs.job import Job
from jobs.media import Media
from jobs.options import JobOptions


def a_job(*, owner: str = "anonymous", options: JobOptions | None = None) -> Job:
    """Return a job as the front door makes it."""
    created_at = datetime.now(UTC)
    return Job(
        id=new_id("job", created_at),
        owner=owner,
        options=options or JobOptions(),
        media=Media(filename="call.wav", bytes=4, sha256="0" * 64),
        created_at=created_at,
    )
