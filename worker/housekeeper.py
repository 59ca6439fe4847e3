"""Put back dead workers' jobs, send lost messages again, purge what expired; twice is safe."""

import logging
import threading

from jobs.batch_work import BatchWork
from jobs.dispatch import Dispatch
from jobs.errors import JobNotFound, JobPurged, Unavailable
from jobs.files import JobFiles
from jobs.leases import Leases
from jobs.options import Priority
from jobs.store import JobStore
from jobs.uploads import Uploads

ROUND_SECONDS = 5.0  # with the lease's 30 s: a dead worker's job waits for 35 s at most

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
    ) -> None:
        self._store = store
        self._leases = leases
        self._dispatch = dispatch
        self._files = files
        self._uploads = uploads
        self._batch_work = batch_work

    def run(self, stop: threading.Event) -> None:
        """Make rounds until told to stop."""
        while not stop.wait(ROUND_SECONDS):
            try:
                self.make_round()
            except Unavailable as error:
                log.warning("round given up: %s", error)

    def make_round(self) -> None:
        """Do every duty once.

        Raises:
            Unavailable: Redis or the broker is away; the next round does the rest.
        """
        self.put_back_expired()
        for queue in Priority:
            self._dispatch.feed_all(queue)
            self._dispatch.send_lost(queue)
        self.purge_expired()
        self.drop_abandoned_uploads()
        self._batch_work.make_round()

    def purge_expired(self) -> None:
        """Delete jobs that are kept no longer, with all their files."""
        for job_id in self._store.expired():
            try:
                job = self._store.get(job_id)
                self._files.purge(job)
                self._batch_work.look_at(job.batch_id)
                self._store.purge(job_id)
            except (JobNotFound, JobPurged):
                continue  # its owner was quicker
            log.info("kept long enough; purged", extra={"job_id": job_id})

    def drop_abandoned_uploads(self) -> None:
        """Delete media that no job took in time."""
        for upload_id in self._uploads.expired(self._store.now()):
            upload = self._uploads.find(upload_id)
            # Files first: if storage is away, the next round finds the record again.
            self._files.drop_upload(upload_id, upload.s3_upload_id if upload else None)
            self._uploads.forget(upload_id)

    def put_back_expired(self) -> None:
        """Queue the jobs of dead workers."""
        for job_id in self._leases.expired():
            try:
                job = self._leases.put_back_expired(job_id)
            except (JobNotFound, JobPurged):
                continue
            if job is None:
                continue
            log.warning("its worker died; now %s", job.status, extra={"job_id": job_id})
