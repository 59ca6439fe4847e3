"""Put back dead workers' jobs, send lost messages again, purge what expired; twice is safe.

Beside its rounds, which are short, it looks through all of storage: after a loss of Redis' for what
is to come back (jobs/rebuilding.py), and every hour also for what is nobody's (jobs/orphans.py).
"""

import logging
import threading
import time
from collections.abc import Callable

from jobs.batch_work import BatchWork
from jobs.dispatch import Dispatch
from jobs.errors import StorageUnavailable, Unavailable
from jobs.files import JobFiles
from jobs.leases import Leases
from jobs.ledger import LedgerDue
from jobs.options import Priority
from jobs.orphans import Orphans
from jobs.rebuilding import Rebuilding
from jobs.request_errors import JobNotFound, JobPurged
from jobs.stage_leftovers import StageLeftovers
from jobs.store import JobStore
from jobs.uploads import Uploads
from worker.retention import Retention

ROUND_SECONDS = 5.0  # with the lease's 30 s: a dead worker's job waits for 35 s at most
# After Redis was away, leases have run out that their workers still want to renew: they do so every
# ten seconds (worker/heartbeat.py).
GRACE_SECONDS = 15.0

log = logging.getLogger(__name__)


class Housekeeper:
    """Looks after jobs that nobody looks after."""

    def __init__(
        self,
        *,
        store: JobStore,
        leases: Leases,
        dispatch: Dispatch,
        files: JobFiles,
        uploads: Uploads,
        batch_work: BatchWork,
        retention: Retention,
        stage_leftovers: StageLeftovers,
        ledger_due: LedgerDue,
        rebuilding: Rebuilding,
        orphans: Orphans,
        grace_seconds: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look after what is in one Redis and one bucket.

        Args:
            store: the records.
            leases: who works on what.
            dispatch: sends messages.
            files: what jobs have in storage.
            uploads: what clients sent by themselves.
            batch_work: goes on with batches.
            retention: deletes what is kept no longer.
            stage_leftovers: deletes what attempts gave other processes.
            ledger_due: writes what the ledger lacks.
            rebuilding: brings back what Redis lost.
            orphans: deletes what is nobody's.
            grace_seconds: after Redis was away, in which no lease is taken for run out.
            clock: seconds, never going back.
        """
        self._store = store
        self._leases = leases
        self._dispatch = dispatch
        self._files = files
        self._uploads = uploads
        self._batch_work = batch_work
        self._retention = retention
        self._stage_leftovers = stage_leftovers
        self._ledger_due = ledger_due
        self._rebuilding = rebuilding
        self._orphans = orphans
        self._grace_seconds = grace_seconds
        self._clock = clock
        self._away_at: float | None = None  # when Redis did not answer, the last time

    def run(self, stop: threading.Event) -> None:
        """Make rounds until told to stop."""
        looking = threading.Thread(
            target=self._rebuilding.run,
            args=(stop,),
            kwargs={"then": self._orphans.clear},
            name="rebuilding",
        )
        looking.start()
        try:
            while True:
                try:
                    self.make_round()
                except Unavailable as error:
                    log.warning("round given up: %s", error)
                if stop.wait(ROUND_SECONDS):
                    return
        finally:
            stop.set()
            looking.join()

    def make_round(self) -> None:
        """Do every duty once.

        Raises:
            Unavailable: Redis or the broker is away; the next round does the rest.
        """
        try:
            self.put_back_expired()
            self.send_messages()
            for duty in (
                self._ledger_due.write,
                self._retention.make_round,
                self._stage_leftovers.clear,
                self.drop_abandoned_uploads,
                self._batch_work.make_round,
            ):
                try:
                    duty()
                except StorageUnavailable as error:  # the next duty may do without
                    log.warning("left for later: %s", error)
        except Unavailable:
            self._away_at = self._clock()
            raise

    def send_messages(self) -> None:
        """Send what may go now, and again what got lost."""
        for queue in Priority:
            self._dispatch.feed_all(queue)
            self._dispatch.send_lost(queue)

    def drop_abandoned_uploads(self) -> None:
        """Delete media that no job took in time."""
        for upload_id in self._uploads.expired(self._store.now()):
            upload = self._uploads.find(upload_id)
            # Files first: if storage is away, the next round finds the record again.
            self._files.drop_upload(upload_id, upload.s3_upload_id if upload else None)
            self._uploads.forget(upload_id)

    def put_back_expired(self) -> None:
        """Queue the jobs of dead workers, unless their leases ran out because Redis was away."""
        if self._was_away():
            return
        for job_id in self._leases.expired():
            try:
                job = self._leases.put_back_expired(job_id)
            except (JobNotFound, JobPurged):
                continue
            if job is None:
                continue
            log.warning("its worker died; now %s", job.status, extra={"job_id": job_id})

    def _was_away(self) -> bool:
        """Whether Redis was away so shortly ago that workers had no time to renew their leases."""
        if self._away_at is not None and self._clock() - self._away_at < self._grace_seconds:
            return True
        return self._store.uptime_seconds() < self._grace_seconds
