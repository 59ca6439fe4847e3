"""Keep the record of every job in Redis: the truth that clients see.

    whisperline:job:<id>           string   the Job as JSON
    whisperline:purged:<id>        string   "1": deleted, kept TOMBSTONE_SECONDS to answer 410
    whisperline:owner:<owner>      zset     the owner's job ids, all with score 0: ids sort by time
    whisperline:queued:<queue>     zset     ids of queued jobs by the second they were accepted
    whisperline:leases             zset     ids of running jobs by the second their lease runs out
    whisperline:changes            channel  the id of each job that changed

Every clock here is Redis' own: a worker whose clock is off can neither keep a lease for ever nor
take one that is alive.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import redis

from jobs.errors import JobNotFound, JobPurged, StoreUnavailable
from jobs.job import Job, JobStatus
from jobs.options import Priority
from jobs.redis_client import redis_errors, texts

LEASE_SECONDS = 30.0  # three heartbeats; a dead worker's job waits this long at most
TOMBSTONE_SECONDS = 30 * 24 * 3600
CHANGES = "whisperline:changes"
LEASES = "whisperline:leases"
_WRITES = 100  # tries of one update; more than that is not contention but a fault

T = TypeVar("T")
Pipe = redis.client.Pipeline


def _job(job_id: str) -> str:
    return f"whisperline:job:{job_id}"


def _purged(job_id: str) -> str:
    return f"whisperline:purged:{job_id}"


def _owner(owner: str) -> str:
    return f"whisperline:owner:{owner}"


def _queued(queue: Priority) -> str:
    return f"whisperline:queued:{queue}"


class JobStore:
    """The records of all jobs."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client

    def ping(self) -> None:
        """Raise StoreUnavailable unless Redis answers."""
        with redis_errors():
            self._redis.ping()

    def add(self, job: Job) -> None:
        """Record a new job, waiting in its queue."""
        with redis_errors():
            pipe = self._redis.pipeline()
            self.write(pipe, job, now=self.now())
            pipe.zadd(_owner(job.owner), {job.id: 0})
            pipe.execute()

    def get(self, job_id: str) -> Job:
        """Return the record.

        Raises:
            JobNotFound: there never was such a job, or it is forgotten.
            JobPurged: it was deleted.
        """
        with redis_errors():
            record, purged = self._redis.mget(_job(job_id), _purged(job_id))
        return self._read(job_id, record, purged=purged is not None)

    def newest(self, owner: str, *, limit: int, before: str | None = None) -> list[Job]:
        """Return an owner's jobs, newest first, older than the id `before`."""
        start = f"({before}" if before else "+"
        with redis_errors():
            ids = texts(
                self._redis.zrange(
                    _owner(owner), start, "-", desc=True, bylex=True, offset=0, num=limit
                )
            )
            records = self._redis.mget([_job(job_id) for job_id in ids]) if ids else []
        # A record may be purged between the two calls; then it is simply not listed.
        return [Job.model_validate_json(record) for record in records if record is not None]

    def queue_position(self, job: Job) -> int | None:
        """Return how many jobs of its queue go first; None once it left the queue."""
        with redis_errors():
            rank = self._redis.zrank(_queued(job.options.priority), job.id)
        return rank if isinstance(rank, int) else None

    def depth(self, queue: Priority) -> int:
        """Return how many jobs wait in a queue."""
        with redis_errors():
            return int(self._redis.zcard(_queued(queue)))

    def update(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        """Apply a move and return the job after it; of two at once, one sees the other's.

        Raises:
            JobNotFound, JobPurged: there is no record.
            Whatever `change` raises: nothing was written.
        """

        def write(pipe: Pipe, job: Job, now: float) -> Job:
            changed = change(job)
            pipe.multi()
            self.write(pipe, changed, now=now)
            return changed

        return self.transact(job_id, write)

    def waiting_since(self, queue: Priority, *, seconds: float, limit: int = 10_000) -> list[str]:
        """Return ids of jobs that wait in a queue for at least `seconds`, oldest first."""
        with redis_errors():
            before = self.now() - seconds
            return texts(self._redis.zrangebyscore(_queued(queue), "-inf", before, 0, limit))

    def purge(self, job_id: str) -> None:
        """Forget a job; from now on it answers JobPurged.

        Raises:
            JobNotFound, JobPurged: there is no record.
        """

        def write(pipe: Pipe, job: Job, now: float) -> None:
            pipe.multi()
            pipe.delete(_job(job_id))
            pipe.zrem(_owner(job.owner), job_id)
            pipe.zrem(_queued(job.options.priority), job_id)
            pipe.zrem(LEASES, job_id)
            pipe.set(_purged(job_id), job.owner, ex=TOMBSTONE_SECONDS)
            pipe.publish(CHANGES, job_id)

        self.transact(job_id, write)

    def now(self) -> float:
        """Return Redis' own time, in seconds."""
        return _in_seconds(self._redis.time())

    def transact(self, job_id: str, write: Callable[[Pipe, Job, float], T]) -> T:
        """Read a record, let `write` queue commands on the pipe, and send them as one step.

        If another process wrote the record in between, nothing is sent and all is decided again.
        """
        with redis_errors():
            for _ in range(_WRITES):
                with self._redis.pipeline() as pipe:
                    pipe.watch(_job(job_id))  # type: ignore[no-untyped-call]  # redis-py's own
                    # After WATCH, redis-py sends reads at once, whatever its types say.
                    record, purged = pipe.mget(_job(job_id), _purged(job_id))
                    job = self._read(job_id, record, purged=purged is not None)
                    outcome = write(pipe, job, _in_seconds(pipe.time()))
                    with suppress(redis.WatchError):
                        pipe.execute()
                        return outcome
        msg = f"{job_id} is written by too many processes at once"
        raise StoreUnavailable(msg)

    @staticmethod
    def _read(job_id: str, record: str | bytes | None, *, purged: bool) -> Job:
        if purged:
            msg = f"job {job_id} was deleted"
            raise JobPurged(msg)
        if record is None:
            msg = f"there is no job {job_id}"
            raise JobNotFound(msg)
        return Job.model_validate_json(record)

    @staticmethod
    def write(pipe: Pipe, job: Job, *, now: float, announce: bool = True) -> None:
        """Queue what makes the record and its indexes say `job`."""
        pipe.set(_job(job.id), job.model_dump_json(exclude_defaults=True))
        if job.status is JobStatus.QUEUED:
            accepted = job.created_at.timestamp()
            pipe.zadd(_queued(job.options.priority), {job.id: accepted})
        else:
            pipe.zrem(_queued(job.options.priority), job.id)
        if job.status is JobStatus.RUNNING:
            pipe.zadd(LEASES, {job.id: now + LEASE_SECONDS})
        else:
            pipe.zrem(LEASES, job.id)
        if announce:
            pipe.publish(CHANGES, job.id)


def _in_seconds(redis_time: tuple[int, int]) -> float:
    seconds, microseconds = redis_time
    return seconds + microseconds / 1e6
