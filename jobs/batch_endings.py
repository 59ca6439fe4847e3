"""Know when a batch is over, when one of its jobs runs again, and when nothing of it is left.

A batch is over when none of its jobs is queued or running. Whoever ended the last one says so
(`settle`), and where that one died, the housekeeper, who looks at all batches in OPEN. When no job
of a batch is kept any longer its record goes too, so records do not grow in number for ever.
"""

import logging
from datetime import UTC, datetime

import redis

from jobs import outbox
from jobs.batch import Batch, BatchCounts, counts_of
from jobs.batch_event import completion_of
from jobs.batch_records import (
    OPEN,
    batch_key,
    owners_key,
    promised_key,
    purged_key,
    read,
    write,
)
from jobs.errors import StoreUnavailable
from jobs.indexes import batch_counts_key
from jobs.job import Job
from jobs.redis_client import Pipe, redis_errors, texts
from jobs.status import JobStatus
from jobs.store import TOMBSTONE_SECONDS, JobStore

log = logging.getLogger(__name__)


class BatchEndings:
    """Which batches are over."""

    def __init__(self, client: "redis.Redis", store: JobStore) -> None:
        self._redis = client
        self._store = store

    def open_ones(self) -> list[Batch]:
        """Return all batches that somebody has to look at, the oldest first."""
        with redis_errors():
            ids = sorted(texts(self._redis.smembers(OPEN)))
            if not ids:
                return []
            records = self._redis.mget([batch_key(batch_id) for batch_id in ids])
            batches = [batch for batch in map(read, records) if batch is not None]
            if forgotten := set(ids) - {batch.id for batch in batches}:
                self._redis.srem(OPEN, *forgotten)
        return batches

    def settle(self, batch_id: str | None) -> None:
        """Note it if the last job of a batch is over, once, and tell those who want to hear of it.

        To be called after each end of a job; while Redis is away, it is left to the housekeeper.

        Args:
            batch_id: of the job; None: it is in no batch.
        """
        if batch_id is None:
            return

        def settle(pipe: Pipe) -> None:
            batch, counts = self._counted(pipe, batch_id)
            pipe.multi()
            if batch is None or not batch.is_accepted or counts.unfinished:
                return
            if batch.completed_at is None and batch.deleted_at is None:
                batch = batch.completed(datetime.now(UTC))
                write(pipe, batch)
                outbox.put(pipe, completion_of(batch, counts))

        keys = batch_key(batch_id), batch_counts_key(batch_id)
        try:
            with redis_errors():
                if not self._unfinished(batch_id):  # most ends of jobs stop here
                    self._redis.transaction(settle, *keys)
        except StoreUnavailable as error:
            log.warning("batch %s not looked at, later: %s", batch_id, error)

    def retry(self, job_id: str) -> Job:
        """Queue a job again that failed or was canceled, and in the same step open its batch.

        Raises:
            JobNotFound, JobPurged: there is no record.
            IllegalMove: the job is neither.
        """

        def requeue(pipe: Pipe, job: Job, now: float) -> Job:
            changed = job.retried()
            batch = None
            if job.batch_id is not None:
                pipe.watch(batch_key(job.batch_id))  # type: ignore[no-untyped-call]  # redis-py's own
                batch = read(pipe.get(batch_key(job.batch_id)))
            pipe.multi()
            if batch is not None:
                write(pipe, batch.reopened())
                pipe.sadd(OPEN, batch.id)
            return self._store.write(pipe, changed, was=job, now=now)

        return self._store.transact(job_id, requeue)

    def look_at(self, batch_id: str | None) -> None:
        """Have the housekeeper look at a batch, a job of which is about to be purged."""
        if batch_id is not None:
            with redis_errors():
                self._redis.sadd(OPEN, batch_id)

    def close(self, batch_id: str) -> bool:
        """Look no longer at a batch that is over; False: not one of its jobs is kept any longer."""

        def close(pipe: Pipe) -> bool:
            batch, counts = self._counted(pipe, batch_id)
            pipe.multi()
            if batch is None:
                pipe.srem(OPEN, batch_id)
            elif batch.completed_at is not None and counts.kept and not counts.unfinished:
                write(pipe, batch.model_copy(update={"has_headers": False}))
                pipe.srem(OPEN, batch_id)
            return batch is None or not batch.is_accepted or counts.kept > 0

        with redis_errors():
            is_kept = self._redis.transaction(
                close,  # type: ignore[arg-type]  # typed as if it could return nothing
                *(batch_key(batch_id), batch_counts_key(batch_id)),
                value_from_callable=True,
            )
        return bool(is_kept)

    def forget(self, batch: Batch) -> None:
        """Drop the record of a batch that has no jobs any more; it answers BatchPurged."""
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.delete(batch_key(batch.id), batch_counts_key(batch.id))
            pipe.zrem(owners_key(batch.owner), batch.id)
            pipe.srem(OPEN, batch.id)
            pipe.hdel(promised_key(batch.owner), batch.id)
            pipe.set(purged_key(batch.id), batch.owner, ex=TOMBSTONE_SECONDS)
            pipe.execute()

    @staticmethod
    def _counted(pipe: Pipe, batch_id: str) -> tuple[Batch | None, BatchCounts]:
        """Read a batch and its counts; a watched pipe reads at once."""
        batch = read(pipe.get(batch_key(batch_id)))
        counted = pipe.hgetall(batch_counts_key(batch_id))
        if batch is None:
            return None, BatchCounts()
        return batch, counts_of(batch, counted)  # type: ignore[arg-type]

    def _unfinished(self, batch_id: str) -> bool:
        waiting = self._redis.hmget(
            batch_counts_key(batch_id), [JobStatus.QUEUED, JobStatus.RUNNING]
        )
        return any(int(number or 0) for number in waiting)
