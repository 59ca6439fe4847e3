"""Write the records of many jobs in few steps.

A step holds up to CHUNK records: large enough that its fixed cost is nothing, small enough that
Redis, which does one thing at a time, keeps nobody waiting for more than some milliseconds.
"""

from collections.abc import Callable, Sequence

import redis

from jobs.attempt import Failure
from jobs.errors import FetchFailed, RequestError
from jobs.job import Job
from jobs.redis_client import Pipe
from jobs.source import UploadSource
from jobs.store import JobStore, job_key, purged_key
from jobs.transaction import in_one_step, tried
from jobs.uploads import ClaimedUpload

CHUNK = 200  # records of one step
_TRIES = 20  # of one step, while others write to what it reads


class Bulk:
    """Many records at a time."""

    def __init__(self, client: "redis.Redis", store: JobStore) -> None:
        self._redis = client
        self._store = store

    def add(self, jobs: Sequence[Job], *, also: Callable[[Pipe, int], None]) -> None:
        """Write new records in one step; a job that has or had one is passed over.

        A job whose upload is gone meanwhile is written down as failed, so that none is missing.

        Args:
            jobs: at most CHUNK.
            also: queues what becomes true with so many new jobs.
        """
        keys = [job_key(job.id) for job in jobs]
        tombstones = [purged_key(job.id) for job in jobs]

        def decide(pipe: Pipe) -> None:
            found = pipe.mget(keys)
            purged = pipe.mget(tombstones)
            known = zip(jobs, found, purged, strict=True)
            new = [job for job, record, tomb in known if record is None and tomb is None]
            claims = [_claimed(pipe, job) for job in new]
            now = self._store.now()
            pipe.multi()
            for job, claim in claims:
                # Nobody can wait for a job that nobody knows of, so it is not announced.
                self._store.write(pipe, job, was=None, now=now, announce=False)
                if claim is not None:
                    claim.settle(pipe, job, now)
            also(pipe, len(new))

        in_one_step(self._redis, keys, decide)

    def change(self, job_ids: Sequence[str], change: Callable[[Job], Job | None]) -> None:
        """Apply a move to many records, in as few steps as others who write to them allow.

        Args:
            job_ids: at most CHUNK; those that are gone are passed over.
            change: returns None for a job that stays as it is.
        """
        if not job_ids:
            return
        keys = [job_key(job_id) for job_id in job_ids]

        def decide(pipe: Pipe) -> None:
            records: list[str | None] = pipe.mget(keys)  # type: ignore[assignment]
            now = self._store.now()
            pipe.multi()
            for record in records:
                job = Job.model_validate_json(record) if record is not None else None
                changed = change(job) if job is not None else None
                if changed is not None:
                    self._store.write(pipe, changed, was=job, now=now)

        if len(job_ids) == 1:
            in_one_step(self._redis, keys, decide)
        elif not any(tried(self._redis, keys, decide) for _ in range(2)):
            # One record that a worker just took voids the step of all: look for it half by half.
            middle = len(job_ids) // 2
            self.change(job_ids[:middle], change)
            self.change(job_ids[middle:], change)


def _claimed(pipe: Pipe, job: Job) -> tuple[Job, ClaimedUpload | None]:
    """Return a new job and its claim of an upload, if its media is one."""
    if not isinstance(job.source, UploadSource):
        return job, None
    claim = ClaimedUpload(upload_id=job.source.upload_id, owner=job.owner)
    try:
        pipe.watch(claim.key)  # type: ignore[no-untyped-call]  # redis-py's own
        claim.check(pipe)
    except RequestError as error:
        return job.failed(Failure(code=FetchFailed.code, message=error.message)), None
    return job, claim
