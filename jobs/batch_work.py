"""Do to all jobs of a batch what was decided about it, some of it now and the rest later.

What is decided stands in the batch's record before any of it is done. A request does as much as it
has time for, and the housekeeper goes on from there, or from where a process died: every step may
be done twice.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from jobs.batch import Batch
from jobs.batch_endings import BatchEndings
from jobs.batch_files import BatchFiles
from jobs.batches import Batches
from jobs.bulk import CHUNK, Bulk
from jobs.errors import StorageUnavailable
from jobs.files import JobFiles
from jobs.job import Job
from jobs.ledger import settle
from jobs.request_errors import IllegalMove, JobNotFound, JobPurged
from jobs.reservations import HeldName
from jobs.status import JobStatus
from jobs.store import JobStore

if TYPE_CHECKING:
    import redis
    from mypy_boto3_s3 import S3Client

ROUND_SECONDS = 3.0  # of the housekeeper's, who has leases to look after too
# So long a batch is left to the request that sent it, which stops before; from then on it is dead.
ACCEPTING_SECONDS = 20.0
_PURGES_AT_ONCE = 8  # each of them mostly waits for storage
_WRITES_AT_ONCE = 4  # the same

log = logging.getLogger(__name__)


class BatchWork:
    """Everything that is done to many jobs at once."""

    def __init__(
        self,
        *,
        store: JobStore,
        batches: Batches,
        endings: BatchEndings,
        bulk: Bulk,
        files: JobFiles,
        batch_files: BatchFiles,
    ) -> None:
        self._store = store
        self._batches = batches
        self._endings = endings
        self._bulk = bulk
        self._files = files
        self._batch_files = batch_files

    def add(
        self, batch: Batch, jobs: Sequence[Job], *, max_queued: int, name: HeldName | None
    ) -> None:
        """Make a batch durable, then known; from now on nothing loses a job of it.

        Raises:
            RequestError: as `Batches.add` says; nothing is kept.
            Unavailable: storage or the job store is away; nothing is kept.
        """
        try:
            self._batch_files.write(batch, jobs)
            self._batches.add(batch, max_queued=max_queued, name=name)
        except BaseException:
            with suppress(StorageUnavailable):
                self._batch_files.delete(batch.id)
            raise

    def write_down(self, batch: Batch, jobs: Iterable[Job], *, seconds: float) -> bool:
        """Write the records of a batch's jobs, in their order; False: the time was too short."""
        deadline = time.monotonic() + seconds
        rest = iter(jobs)
        while chunk := list(islice(rest, CHUNK)):
            if time.monotonic() > deadline:
                return False
            self._bulk.add(
                chunk, also=lambda pipe, new: self._batches.keep_promise(pipe, batch, new)
            )
        self._batches.accepted(batch)
        return True

    def cancel(self, batch: Batch, *, seconds: float) -> bool:
        """Cancel what is not over; False: the time was too short."""
        deadline = time.monotonic() + seconds
        for ids in self._pages(batch):
            if time.monotonic() > deadline:
                return False
            jobs = self._store.get_many(ids)
            self._bulk.change([job.id for job in jobs if job.status is JobStatus.QUEUED], _canceled)
            # Their workers write to them all the time, so in a step with others nothing would be
            # written before they end.
            for job in jobs:
                if job.status is JobStatus.RUNNING:
                    with suppress(JobNotFound, JobPurged, IllegalMove):
                        self._store.update(job.id, Job.canceled)
        self._endings.settle(batch.id)
        return True

    def purge(self, batch: Batch, *, seconds: float) -> bool:
        """Delete all jobs of a batch, their files, and then itself; False: time was too short."""
        deadline = time.monotonic() + seconds
        # First where a lost Redis cannot forget it: it would bring back what is half deleted.
        batch = batch.deleted(datetime.now(UTC))
        self._batch_files.write_batch(batch)
        # Else workers would begin what is about to be deleted.
        if not self.cancel(batch, seconds=seconds):
            return False
        with ThreadPoolExecutor(_PURGES_AT_ONCE) as threads:
            for ids in self._pages(batch, limit=_PURGES_AT_ONCE * 4):
                if time.monotonic() > deadline:
                    return False
                # Files first: if storage is away, the job is still there to be deleted again.
                list(threads.map(self._purge, self._store.get_many(ids)))
                for job_id in ids:
                    with suppress(JobNotFound, JobPurged):
                        self._store.purge(job_id)
        self._close(batch)
        return True

    def _purge(self, job: Job) -> None:
        self._files.purge(job, with_batch=True)

    def look_at(self, batch_id: str | None) -> None:
        """Have the next round look at a batch, a job of which is about to be purged."""
        self._endings.look_at(batch_id)

    def bring_up_to_date(self, batch: Batch) -> None:
        """Write down in storage where a batch stands; if that fails, its record still says so."""
        try:
            self._batch_files.write_batch(batch)
        except StorageUnavailable as error:
            log.warning("batch.json of %s not written: %s", batch.id, error)

    def make_round(self, *, seconds: float = ROUND_SECONDS) -> None:
        """Finish what others left: batches half accepted, canceled, deleted, or over unseen.

        Raises:
            StoreUnavailable: Redis is away; the next round does the rest.
        """
        deadline = time.monotonic() + seconds
        batches = self._endings.open_ones()
        for batch in batches:
            self._endings.settle(batch.id)
        # What waits to run goes before what is only to be tidied up.
        for batch in sorted(batches, key=lambda batch: (batch.is_accepted, batch.id)):
            try:
                self._work_on(batch, seconds=max(0.0, deadline - time.monotonic()))
            except StorageUnavailable as error:
                log.warning("batch %s left for later: %s", batch.id, error)

    def _work_on(self, batch: Batch, *, seconds: float) -> None:
        age = datetime.now(UTC) - batch.created_at
        if not batch.is_accepted and age.total_seconds() < ACCEPTING_SECONDS:
            return
        if batch.deleted_at is not None:
            self._batches.accepted(batch)  # nothing more is written down of it
            self.purge(batch, seconds=seconds)
        elif not batch.is_accepted:
            log.warning("half accepted; going on: %s", batch.id)
            self.write_down(batch, self._batch_files.read(batch.id), seconds=seconds)
        elif batch.is_canceling:
            self._batch_files.write_batch(batch)  # first where a lost Redis cannot forget it
            self.cancel(batch, seconds=seconds)
        elif (
            batch.completed_at is not None
            and seconds
            and self._write_ledgers(batch, seconds=seconds)
        ):
            self._close(batch)

    def _write_ledgers(self, batch: Batch, *, seconds: float) -> bool:
        """Write what the ledger lacks of a batch that is over; False: the time was too short.

        From the moment its own entry says that it is over, the manifest brings nothing back.
        """
        deadline = time.monotonic() + seconds

        def write(job: Job) -> bool:
            if time.monotonic() > deadline:
                return False
            settle(self._store, self._files, job)
            return True

        with ThreadPoolExecutor(_WRITES_AT_ONCE) as threads:
            return all(threads.map(write, self._batches.due(batch)))

    def _close(self, batch: Batch) -> None:
        """Look no longer at a batch that is over, and forget one that has no jobs any more."""
        if batch.deleted_at is None:
            if batch.has_headers:
                self._batch_files.forget_headers(batch)
            else:
                self.bring_up_to_date(batch)
        if not self._endings.close(batch.id):
            self._batch_files.delete(batch.id)
            self._endings.forget(batch)

    def _pages(self, batch: Batch, *, limit: int = CHUNK) -> Iterator[list[str]]:
        """Yield the ids of its jobs, some at a time, in their order."""
        after = None
        while ids := self._batches.job_ids(batch, after=after, limit=limit):
            yield ids
            after = ids[-1]


def batch_work(client: "redis.Redis", store: JobStore, s3: "S3Client", bucket: str) -> BatchWork:
    """Return what works on the batches in this Redis and this bucket."""
    return BatchWork(
        store=store,
        batches=Batches(client, store),
        endings=BatchEndings(client, store),
        bulk=Bulk(client, store),
        files=JobFiles(s3, bucket),
        batch_files=BatchFiles(s3, bucket),
    )


def _canceled(job: Job) -> Job | None:
    return None if job.status.is_final else job.canceled()
