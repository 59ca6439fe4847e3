"""Bring jobs back from the ledger that Redis knows nothing of any more.

A job that was over is over again, exactly as it was. One that was not is queued again, in its old
place among its owner's. What has a record, or was deleted, stays as it is, so any number of
processes may do this at once, while jobs are submitted, run and end.
"""

import logging
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pydantic import ValidationError

from jobs.batch_files import BatchFiles
from jobs.errors import JobNotRestored
from jobs.files import JobFiles
from jobs.job import Job
from jobs.redis_client import Pipe
from jobs.reservations import NameKind, Reservation, named_by_client, put
from jobs.status import JobStatus
from jobs.store import JobStore, job_key, purged_key

# A submission writes the ledger first and the record a moment later. Once all is restored, only
# what has been without a record for so long is missing one.
SETTLED_SECONDS = 60.0
_ID = re.compile(r"job_[0-9a-f]{32}")
_READERS = 16  # each of them mostly waits for storage
_STEP = 100  # records written in one step; Redis keeps nobody waiting for longer than milliseconds

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restorable:
    """A job as it is to stand in Redis again."""

    job: Job
    name: Reservation | None = None  # the id that its owner gave it


class Restorer:
    """Brings single jobs back, and many."""

    def __init__(self, store: JobStore, files: JobFiles, batch_files: BatchFiles) -> None:
        self._store = store
        self._files = files
        self._batch_files = batch_files
        self._deleted: dict[str, bool] = {}  # batches that were asked for

    def get(self, job_id: str) -> Job:
        """Return the record; one that Redis lost comes back from the ledger.

        Raises:
            JobNotFound: there is no such job.
            JobPurged: it was deleted.
            JobNotRestored: it has no entry in the ledger. It may still be a line of a batch's
                manifest, and that is known when all is back.
        """
        try:
            return self._store.get(job_id)
        except JobNotRestored:
            self.restore([job_id], settled_seconds=0.0)
        return self._store.get(job_id)

    def job_named(self, owner: str, client_id: str) -> str | None:
        """Return the id of the job that stood for an owner's own id before Redis was emptied."""
        if _ID.fullmatch(client_id) or self._store.is_rebuilt():
            return None
        found = self._files.names.read(owner, NameKind.CLIENT_ID, client_id)
        return found.job_id if found is not None else None

    def restore(self, job_ids: Sequence[str], *, settled_seconds: float) -> int:
        """Write records of those that have none, and return how many that were.

        Args:
            job_ids: of any jobs, in the order in which they are to come back.
            settled_seconds: an entry in the ledger that is younger is left alone.

        Raises:
            Unavailable: Redis or storage is away; some are back.
        """
        missing = self.missing([job_id for job_id in job_ids if _ID.fullmatch(job_id)])

        def read(job_id: str) -> Restorable | None:
            return self._read(job_id, settled_seconds)

        if len(missing) == 1:  # a client waits for it
            found = read(missing[0])
            return self.write([found]) if found is not None else 0
        written = 0
        with ThreadPoolExecutor(_READERS, thread_name_prefix="restore") as threads:
            for start in range(0, len(missing), _STEP):
                chunk = missing[start : start + _STEP]
                restorable = [found for found in threads.map(read, chunk) if found is not None]
                written += self.write(restorable)
        return written

    def missing(self, job_ids: Sequence[str]) -> list[str]:
        """Return those of the ids that have neither a record nor were deleted."""
        known = self._store.known(job_ids)
        return [job_id for job_id in job_ids if job_id not in known]

    def write(self, jobs: Sequence[Restorable]) -> int:
        """Write the records of those that still have none, and return how many that were."""
        return sum(self._write(jobs[start : start + _STEP]) for start in range(0, len(jobs), _STEP))

    def _write(self, jobs: Sequence[Restorable]) -> int:
        keys = [key(each.job.id) for each in jobs for key in (job_key, purged_key)]

        def write(pipe: Pipe) -> int:
            found = pipe.mget(keys)
            now = self._store.now()
            pipe.multi()
            written = 0
            for each, record, purged in zip(jobs, found[::2], found[1::2], strict=True):
                if record is None and purged is None:
                    self._store.restore(pipe, each.job, now=now)
                    if each.name is not None:
                        put(pipe, each.name, unless_taken=True)
                    written += 1
            return written

        return self._store.step(keys, write)

    def _read(self, job_id: str, settled_seconds: float) -> Restorable | None:
        try:
            entry = self._files.read_ledger(job_id)
        except ValidationError:
            log.exception("ledger not understood; left alone", extra={"job_id": job_id})
            return None
        if entry is None or entry.age_seconds < settled_seconds:
            return None
        job = entry.job
        if job.batch_id is not None and self._is_deleted(job.batch_id):
            self._files.purge(job, with_batch=True)  # what its deletion did not come to
            return None
        if job.client_id is None:
            return Restorable(job=as_left(job))
        name = self._files.names.read(job.owner, NameKind.CLIENT_ID, job.client_id)
        if name is not None and name.job_id != job.id:
            # The API died over this submission before it answered, and the client sent it again.
            self._files.discard(job.id)
            return None
        # A name that is missing could not be written down.
        return Restorable(job=as_left(job), name=name or named_by_client(job))

    def _is_deleted(self, batch_id: str) -> bool:
        if batch_id not in self._deleted:
            batch = self._batch_files.read_batch(batch_id)
            self._deleted[batch_id] = batch is not None and batch.deleted_at is not None
        return self._deleted[batch_id]


def as_left(job: Job) -> Job:
    """Return a job as it is to be after a loss: nobody works on it."""
    return job.put_back() if job.status is JobStatus.RUNNING else job
