"""Keep the record of every job in Redis: the truth that clients see.

    whisperline:job:<id>           string   the Job as JSON
    whisperline:purged:<id>        string   its owner: deleted, kept TOMBSTONE_SECONDS to answer 410
    whisperline:changes            channel  the id of each job that changed
    whisperline:rebuilt            string   when the records were last known to be complete; not
                                            there: Redis is new or was emptied (jobs/rebuilding.py)

What is found by other things than the id is in `jobs/indexes.py`.

Every clock here is Redis' own: a worker whose clock is off can neither keep a lease for ever nor
take one that is alive.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import redis

from jobs import indexes, outbox
from jobs.errors import JobNotRestored
from jobs.event import Event, event_of
from jobs.indexes import index_key, queued_key
from jobs.job import Job
from jobs.options import Priority
from jobs.redis_client import Pipe, redis_errors
from jobs.request_errors import JobNotFound, JobPurged, QueueFull
from jobs.reservations import client_id_key
from jobs.source import UploadSource
from jobs.status import JobStatus
from jobs.transaction import in_one_step, redis_seconds
from jobs.uploads import record_key

TOMBSTONE_SECONDS = 30 * 24 * 3600
CHANGES = "whisperline:changes"
REBUILT = "whisperline:rebuilt"

T = TypeVar("T")


def job_key(job_id: str) -> str:
    """Return where the record of a job is."""
    return f"whisperline:job:{job_id}"


def purged_key(job_id: str) -> str:
    """Return where the owner of a deleted job is."""
    return f"whisperline:purged:{job_id}"


class Condition(Protocol):
    """What a new job depends on beside its own record."""

    @property
    def key(self) -> str:
        """Where it stands in Redis."""

    def check(self, pipe: Pipe) -> None:
        """Raise where the job must not be added; a watched pipe reads at once."""

    def settle(self, pipe: Pipe, job: Job, now: float) -> None:
        """Queue what becomes true with the job."""


class JobStore:
    """The records of all jobs."""

    def __init__(
        self,
        client: "redis.Redis",
        *,
        retention_days: int = 0,
        media_retention_days: int | None = None,
    ) -> None:
        """Keep records in this Redis.

        Args:
            client: of the Redis.
            retention_days: after its end a job expires, unless it says otherwise; 0: never.
            media_retention_days: the same of its media; 0: at once, None: with the job.
        """
        self._redis = client
        self._retention_days = retention_days
        self._media_retention_days = media_retention_days

    def ping(self) -> None:
        """Raise StoreUnavailable unless Redis answers."""
        with redis_errors():
            self._redis.ping()

    def add(
        self,
        job: Job,
        *,
        max_queued: int | None = None,
        conditions: Sequence[Condition] = (),
    ) -> None:
        """Record a new job, waiting in its queue.

        If it is there already, because somebody restored it from the ledger that was written a
        moment ago, it stays as it is.

        Args:
            job: with an id that no other job ever had.
            max_queued: how many jobs of its owner may wait, this one counted.
            conditions: what must hold, and what becomes true in the same step.

        Raises:
            QueueFull: the owner's queue is full; nothing is recorded.
            Whatever a condition raises: nothing is recorded.
        """
        keys = [job_key(job.id), *(condition.key for condition in conditions)]

        def decide(pipe: Pipe) -> None:
            for condition in conditions:
                condition.check(pipe)
            is_known = pipe.exists(job_key(job.id))
            now = self.now()
            pipe.multi()
            if not is_known:
                self.write(pipe, job, was=None, now=now)
            for condition in conditions:
                condition.settle(pipe, job, now)
            pipe.zcard(index_key(job.owner, "status", JobStatus.QUEUED))

        _, replies = in_one_step(self._redis, keys, decide)
        # Counted in the step that added it, so however many come at once, no more than the limit
        # stay.
        if max_queued is not None and int(replies[-1]) > max_queued:
            self._withdraw(job)
            msg = f"{max_queued} of your jobs are waiting already; send more when some are done"
            raise QueueFull(msg)

    def _withdraw(self, job: Job) -> None:
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.delete(job_key(job.id))
            indexes.forget(pipe, job)
            pipe.execute()

    def queued_of(self, owner: str) -> int:
        """Return how many jobs of an owner wait."""
        with redis_errors():
            return int(self._redis.zcard(index_key(owner, "status", JobStatus.QUEUED)))

    def get_many(self, job_ids: Sequence[str]) -> list[Job]:
        """Return the records that are there, in the order of the ids."""
        if not job_ids:
            return []
        with redis_errors():
            records = self._redis.mget([job_key(job_id) for job_id in job_ids])
        return [Job.model_validate_json(record) for record in records if record is not None]

    def known(self, job_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that have a record, or were deleted."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for job_id in job_ids:
                pipe.exists(job_key(job_id), purged_key(job_id))
            found = pipe.execute()
        return {job_id for job_id, count in zip(job_ids, found, strict=True) if count}

    def purged(self, job_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that were deleted, as long as that is remembered."""
        with redis_errors():
            found = self._redis.mget([purged_key(job_id) for job_id in job_ids])
        return {job_id for job_id, owner in zip(job_ids, found, strict=True) if owner}

    def owner_of_purged(self, job_id: str) -> str | None:
        """Return whose a deleted job was; None if it is not remembered."""
        with redis_errors():
            owner = self._redis.get(purged_key(job_id))
        return owner if isinstance(owner, str) else None

    def get(self, job_id: str) -> Job:
        """Return the record.

        Raises:
            JobNotFound: there never was such a job, or it is forgotten.
            JobPurged: it was deleted.
            JobNotRestored: Redis was emptied a while ago; there may be one.
        """
        with redis_errors():
            record, purged, rebuilt = self._redis.mget(job_key(job_id), purged_key(job_id), REBUILT)
        if record is None and purged is None and rebuilt is None:
            msg = "jobs are being restored after a loss, maybe this one too; try again shortly"
            raise JobNotRestored(msg)
        return self._read(job_id, record, purged=purged is not None)

    def is_rebuilt(self) -> bool:
        """Whether a job without a record does not exist, as far as is known."""
        with redis_errors():
            return bool(self._redis.exists(REBUILT))

    def depth(self, queue: Priority) -> int:
        """Return how many jobs wait in a queue."""
        with redis_errors():
            return int(self._redis.zcard(queued_key(queue)))

    def update(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        """Apply a move and return the job after it; of two at once, one sees the other's.

        Raises:
            JobNotFound, JobPurged: there is no record.
            Whatever `change` raises: nothing was written.
        """

        def write(pipe: Pipe, job: Job, now: float) -> Job:
            changed = change(job)
            pipe.multi()
            return self.write(pipe, changed, was=job, now=now)

        return self.transact(job_id, write)

    def purge(self, job_id: str) -> None:
        """Forget a job; from now on it answers JobPurged.

        Raises:
            JobNotFound, JobPurged: there is no record.
        """

        def write(pipe: Pipe, job: Job, now: float) -> None:
            pipe.multi()
            pipe.delete(job_key(job_id))
            indexes.forget(pipe, job)
            if isinstance(job.source, UploadSource):
                pipe.delete(record_key(job.source.upload_id))  # it names the file
            pipe.set(purged_key(job_id), job.owner, ex=TOMBSTONE_SECONDS)
            if job.client_id is not None:
                pipe.expire(client_id_key(job.owner, job.client_id), TOMBSTONE_SECONDS)
            pipe.publish(CHANGES, job_id)

        self.transact(job_id, write)

    def uptime_seconds(self) -> float:
        """Return how long ago Redis was started."""
        with redis_errors():
            return float(self._redis.info("server")["uptime_in_seconds"])

    def now(self) -> float:
        """Return Redis' own time, in seconds."""
        with redis_errors():
            return redis_seconds(self._redis)

    def transact(self, job_id: str, write: Callable[[Pipe, Job, float], T]) -> T:
        """Read a record, let `write` queue commands on the pipe, and send them as one step.

        If another process wrote the record in between, nothing is sent and all is decided again.
        """

        def decide(pipe: Pipe) -> T:
            record, purged = pipe.mget(job_key(job_id), purged_key(job_id))
            job = self._read(job_id, record, purged=purged is not None)
            return write(pipe, job, redis_seconds(pipe))

        return self.step([job_key(job_id)], decide)

    def step(self, keys: Sequence[str], decide: Callable[[Pipe], T]) -> T:
        """Let `decide` read and queue commands on the pipe, and send them as one step.

        If another process wrote to one of the keys in between, nothing is sent and all is decided
        again.
        """
        return in_one_step(self._redis, keys, decide)[0]

    @staticmethod
    def _read(job_id: str, record: str | bytes | None, *, purged: bool) -> Job:
        if purged:
            msg = f"job {job_id} was deleted"
            raise JobPurged(msg)
        if record is None:
            msg = f"there is no job {job_id}"
            raise JobNotFound(msg)
        return Job.model_validate_json(record)

    def write(
        self, pipe: Pipe, job: Job, *, was: Job | None, now: float, announce: bool = True
    ) -> Job:
        """Queue what makes the record and its indexes say `job`, which said `was` before.

        Returns:
            The job as it is written: one that is over says when it will be purged.
        """
        if job.status.is_final and (was is None or not was.status.is_final):
            job = job.kept_for(self._retention_days, media_days=self._media_retention_days)
        pipe.set(job_key(job.id), job.model_dump_json(exclude_defaults=True))
        indexes.keep(pipe, job, was=was, now=now)
        kind = event_of(job, was)
        if kind is not None:
            outbox.put(pipe, Event.of_job(job, kind))
        if announce:
            pipe.publish(CHANGES, job.id)
        return job

    def restore(self, pipe: Pipe, job: Job, *, now: float) -> None:
        """Queue what makes a record of the ledger's; nobody is told again of what ended."""
        pipe.set(job_key(job.id), job.model_dump_json(exclude_defaults=True))
        indexes.keep(pipe, job, was=None, now=now, is_restored=True)
        pipe.publish(CHANGES, job.id)
