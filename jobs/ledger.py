"""Make the ledger say what the records say, in the end, whoever dies or sleeps in between.

A record that becomes final, or is queued again after that, is put on a list in the same step
(`whisperline:ledger_due`, jobs/indexes.py). Whoever made the move writes the ledger at once; what
is still on the list after DUE_SECONDS is written by the housekeeper. A job leaves the list only in
a step that sees its record say what was just written. So a writer that slept meanwhile finds out:
it writes again what is true now, and of a job that was deleted it takes its own words back.
"""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import redis

from jobs.errors import StorageUnavailable, Unavailable
from jobs.files import JobFiles
from jobs.indexes import LEDGER_DUE
from jobs.job import Job
from jobs.redis_client import Pipe, redis_errors, texts
from jobs.request_errors import JobNotFound, JobPurged
from jobs.store import JobStore

DUE_SECONDS = 5.0  # whoever made the move has written it down by then
ROUND_SECONDS = 2.0  # of the housekeeper's, who has leases to look after too
_AT_ONCE = 4  # each of them mostly waits for storage
_AT_A_TIME = 200
_TRIES = 5  # while others move the job; what is left stays on the list

log = logging.getLogger(__name__)


def bring_up_to_date(files: JobFiles, job: Job, *, store: JobStore) -> None:
    """Write down where a job stands, and where it stands then, if it moved meanwhile.

    The record already says so, and is on the list: what fails here, the housekeeper does.

    Args:
        files: where the ledger is.
        job: as its record says, or said a moment ago.
        store: of the records.
    """
    try:
        settle(store, files, job)
    except Unavailable as error:
        log.warning("ledger not written: %s", error, extra={"job_id": job.id})


def settle(store: JobStore, files: JobFiles, job: Job) -> None:
    """Write the ledger until it says what the record says.

    Raises:
        Unavailable: Redis or storage is away; the job stays on the list.
    """
    for _ in range(_TRIES):
        files.write_ledger(job)
        try:
            found = _seen(store, job)
        except JobPurged:
            files.purge(job)  # what was just written, and whatever else came after the deletion
            return
        except JobNotFound:
            return  # Redis was emptied: this entry is all that is known of the job
        if says_the_same(found, job):
            return
        job = found


def says_the_same(record: Job, entry: Job) -> bool:
    """Whether a job would be restored from this entry as its record has it.

    How far a run is, is not written down: a job that is not over begins again.
    """
    if record.status.is_final or entry.status.is_final:
        return record == entry
    return True


def _seen(store: JobStore, entry: Job) -> Job:
    """Return the record, and take it off the list if the entry says the same."""

    def strike(pipe: Pipe, record: Job, now: float) -> Job:
        pipe.multi()
        if says_the_same(record, entry):
            pipe.zrem(LEDGER_DUE, record.id)
        return record

    return store.transact(entry.id, strike)


class LedgerDue:
    """The jobs whose ledger entry may be behind."""

    def __init__(self, client: "redis.Redis", store: JobStore, files: JobFiles) -> None:
        self._redis = client
        self._store = store
        self._files = files

    def write(self, *, after_seconds: float = DUE_SECONDS, seconds: float = ROUND_SECONDS) -> int:
        """Write what others left, for as long as there is time; return how many that were.

        Args:
            after_seconds: since the record moved.
            seconds: to spend.

        Raises:
            StoreUnavailable: Redis is away; the next round does the rest.
        """
        deadline, written = time.monotonic() + seconds, 0
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ledger") as threads:
            while ids := self._due(after_seconds):
                try:
                    written += self._write(threads, ids, deadline)
                except StorageUnavailable as error:
                    log.warning("%d ledger entries wait: %s", self.count(), error)
                    break
                if len(ids) < _AT_A_TIME or time.monotonic() > deadline:
                    break
        return written

    def count(self) -> int:
        """Return how many entries may be behind."""
        with redis_errors():
            return int(self._redis.zcard(LEDGER_DUE))

    def _write(self, threads: ThreadPoolExecutor, ids: Sequence[str], deadline: float) -> int:
        jobs = self._store.get_many(ids)
        if gone := set(ids) - {job.id for job in jobs}:
            with redis_errors():
                self._redis.zrem(LEDGER_DUE, *gone)

        def write(job: Job) -> bool:
            if time.monotonic() > deadline:
                return False
            settle(self._store, self._files, job)
            return True

        return sum(threads.map(write, jobs))

    def _due(self, after_seconds: float) -> list[str]:
        with redis_errors():
            until = self._store.now() - after_seconds
            return texts(self._redis.zrangebyscore(LEDGER_DUE, "-inf", until, 0, _AT_A_TIME))
