"""Keep the records of all batches, and what their owners decide about them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import redis

from jobs.batch import Batch, BatchCounts, counts_of
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
from jobs.indexes import LEDGER_DUE, batch_counts_key, index_key
from jobs.job import Job
from jobs.redis_client import Pipe, redis_errors, texts
from jobs.request_errors import BatchNotFound, BatchPurged, QueueFull
from jobs.reservations import HeldName
from jobs.status import JobStatus
from jobs.store import REBUILT, JobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedBatch:
    """A batch and how many of its jobs stand where, at one moment."""

    batch: Batch
    counts: BatchCounts


class Batches:
    """The records of all batches."""

    def __init__(self, client: "redis.Redis", store: JobStore) -> None:
        self._redis = client
        self._store = store

    def add(self, batch: Batch, *, max_queued: int, name: HeldName | None = None) -> None:
        """Record a new batch; from now on each of its jobs will be, whoever dies.

        Args:
            batch: whose manifest is in storage.
            max_queued: how many jobs of its owner may wait, these counted.
            name: that stands for the batch from then on.

        Raises:
            QueueFull: the owner's queue has no room for all of it; nothing is recorded.
            SubmissionInProgress: another request took the name; nothing is recorded.
        """

        def add(pipe: Pipe) -> None:
            if name is not None:
                name.check(pipe)
            # What is promised is watched: of batches that come at once, no more get in than fit.
            waiting = pipe.zcard(index_key(batch.owner, "status", JobStatus.QUEUED))
            promised = sum(int(number) for number in pipe.hvals(promised_key(batch.owner)))
            if int(waiting) + promised + batch.total > max_queued:
                msg = (
                    f"the batch has {batch.total} jobs, {int(waiting) + promised} of yours wait "
                    f"already, and {max_queued} may; send it when some are done"
                )
                raise QueueFull(msg)
            pipe.multi()
            write(pipe, batch)
            pipe.zadd(owners_key(batch.owner), {batch.id: 0})
            pipe.sadd(OPEN, batch.id)
            pipe.hset(promised_key(batch.owner), batch.id, str(batch.total))
            if name is not None:
                name.stand_for(pipe, batch.id)

        names = () if name is None else (name.key,)
        with redis_errors():
            self._redis.transaction(add, promised_key(batch.owner), *names)

    def known(self, batch_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that have a record, or were deleted."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for batch_id in batch_ids:
                pipe.exists(batch_key(batch_id), purged_key(batch_id))
            found = pipe.execute()
        return {batch_id for batch_id, count in zip(batch_ids, found, strict=True) if count}

    def restore(self, batch: Batch) -> None:
        """Write the record of a batch that Redis forgot, and have the housekeeper look at it.

        Its jobs that are kept must be back, so that it is not taken for one without any.
        """

        def restore(pipe: Pipe) -> None:
            known = pipe.exists(batch_key(batch.id), purged_key(batch.id))
            waiting = pipe.hmget(batch_counts_key(batch.id), [JobStatus.QUEUED, JobStatus.RUNNING])
            pipe.multi()
            if known:
                return
            # One of its jobs was retried after it was over.
            is_open = any(int(number or 0) for number in waiting)
            write(pipe, batch.reopened() if is_open and batch.deleted_at is None else batch)
            pipe.sadd(OPEN, batch.id)
            if batch.deleted_at is None:
                pipe.zadd(owners_key(batch.owner), {batch.id: 0})

        with redis_errors():
            self._redis.transaction(
                restore, batch_key(batch.id), purged_key(batch.id), batch_counts_key(batch.id)
            )

    def keep_promise(self, pipe: Pipe, batch: Batch, written: int) -> None:
        """Queue what makes jobs of a batch count as waiting, and no longer as promised."""
        pipe.hincrby(promised_key(batch.owner), batch.id, -written)

    def accepted(self, batch: Batch) -> None:
        """Note that all jobs of a batch are written down."""
        self._change(batch.id, Batch.accepted)
        with redis_errors():
            self._redis.hdel(promised_key(batch.owner), batch.id)

    def find(self, batch_id: str, owner: str) -> CountedBatch:
        """Return an owner's batch.

        Raises:
            BatchNotFound: there is none, or it is somebody else's.
            BatchPurged: it was deleted, or all its jobs were.
            StoreUnavailable: Redis was emptied a while ago; there may be one.
        """
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.get(batch_key(batch_id))
            pipe.hgetall(batch_counts_key(batch_id))
            pipe.get(purged_key(batch_id))
            pipe.exists(REBUILT)
            record, counted, purged_of, is_rebuilt = pipe.execute()
        batch = read(record)
        if batch is not None and batch.owner == owner and batch.deleted_at is None:
            return CountedBatch(batch=batch, counts=counts_of(batch, counted))
        if owner in (purged_of, batch.owner if batch is not None else None):
            msg = f"batch {batch_id} was deleted"
            raise BatchPurged(msg)
        if not is_rebuilt:
            msg = "batches are being restored after a loss, maybe this one too; try again shortly"
            raise StoreUnavailable(msg)
        msg = f"there is no batch {batch_id}"
        raise BatchNotFound(msg)

    def page(self, owner: str, *, limit: int, before: str | None = None) -> list[CountedBatch]:
        """Return at most `limit` batches of an owner, newest first, older than the id `before`."""
        start = f"({before}" if before else "+"
        with redis_errors():
            ids = texts(
                self._redis.zrange(
                    owners_key(owner), start, "-", desc=True, bylex=True, offset=0, num=limit
                )
            )
            pipe = self._redis.pipeline(transaction=False)
            for batch_id in ids:
                pipe.get(batch_key(batch_id))
                pipe.hgetall(batch_counts_key(batch_id))
            replies = pipe.execute()
        found = [
            (read(one), counted) for one, counted in zip(replies[::2], replies[1::2], strict=True)
        ]
        return [
            CountedBatch(batch=batch, counts=counts_of(batch, counted))
            for batch, counted in found
            if batch is not None
        ]

    def job_ids(self, batch: Batch, *, after: str | None = None, limit: int) -> list[str]:
        """Return ids of the jobs that a batch still has, in the order of its manifest."""
        key = index_key(batch.owner, "batch_id", batch.id)
        start = f"({after}" if after else "-"
        with redis_errors():
            return texts(self._redis.zrange(key, start, "+", bylex=True, offset=0, num=limit))

    def last_job_ids(self, batch: Batch, *, limit: int) -> list[str]:
        """Return ids of the last jobs that a batch still has, the last one first."""
        key = index_key(batch.owner, "batch_id", batch.id)
        with redis_errors():
            return texts(
                self._redis.zrange(key, "+", "-", desc=True, bylex=True, offset=0, num=limit)
            )

    def running(self, batch: Batch) -> list[Job]:
        """Return the jobs of a batch that workers hold; of these an owner has never many."""
        keys = [
            index_key(batch.owner, "status", JobStatus.RUNNING),
            index_key(batch.owner, "batch_id", batch.id),
        ]
        with redis_errors():
            ids = texts(self._redis.zinter(keys))
        return [job for job in self._store.get_many(ids) if job.status is JobStatus.RUNNING]

    def due(self, batch: Batch) -> list[Job]:
        """Return the jobs of a batch whose ledger entry may be behind."""
        with redis_errors():
            ids = texts(
                self._redis.zinter([LEDGER_DUE, index_key(batch.owner, "batch_id", batch.id)])
            )
        return self._store.get_many(ids)

    def cancel(self, batch_id: str) -> Batch | None:
        """Note that all that is not over is to be canceled; None: there is no such batch."""
        return self._change(batch_id, lambda batch: batch.canceled(datetime.now(UTC)))

    def delete(self, batch: Batch) -> None:
        """Note that a batch is to be purged; its owner sees it no longer."""
        self._change(batch.id, lambda found: found.deleted(datetime.now(UTC)), is_shown=False)

    def _change(
        self, batch_id: str, change: Callable[[Batch], Batch], *, is_shown: bool = True
    ) -> Batch | None:
        """Write what `change` makes of a record; decide again if another process wrote first."""

        def changed(pipe: Pipe) -> Batch | None:
            found = read(pipe.get(batch_key(batch_id)))
            batch = change(found) if found is not None else None
            pipe.multi()
            if batch is not None and batch != found:
                write(pipe, batch)
                pipe.sadd(OPEN, batch_id)
                if not is_shown:
                    pipe.zrem(owners_key(batch.owner), batch_id)
            return batch

        with redis_errors():
            outcome: Batch | None = self._redis.transaction(  # type: ignore[assignment]
                changed,  # type: ignore[arg-type]  # typed as if it could return nothing
                batch_key(batch_id),
                value_from_callable=True,
            )
        return outcome
