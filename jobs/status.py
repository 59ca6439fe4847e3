"""Say where a job stands, and which moves it may make."""

from enum import StrEnum


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
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.FAILED, JobStatus.CANCELED}),
    # Back to QUEUED: its worker died, or handed it back when it was told to stop.
    JobStatus.RUNNING: frozenset(
        {JobStatus.QUEUED, JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED}
    ),
    JobStatus.SUCCEEDED: frozenset(),
    # Only when its owner asks for it.
    JobStatus.FAILED: frozenset({JobStatus.QUEUED}),
    JobStatus.CANCELED: frozenset({JobStatus.QUEUED}),
}
