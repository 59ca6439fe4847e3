"""Delete what is kept no longer: jobs, media before its job, and what was written too late."""

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jobs.batch_work import BatchWork
from jobs.errors import StorageUnavailable
from jobs.expiring import Expiring
from jobs.files import JobFiles
from jobs.job import Job
from jobs.ledger import bring_up_to_date
from jobs.queue_names import QueueNames
from jobs.request_errors import IllegalMove, JobNotFound, JobPurged
from jobs.store import JobStore
from jobs.sweeping import Sweeping
from jobs.uploads import Uploads

if TYPE_CHECKING:
    import redis
    from mypy_boto3_s3 import S3Client

TIDYING_SECONDS = 3600.0  # between two looks for what takes room and does no harm

log = logging.getLogger(__name__)


class Retention:
    """The part of the housekeeper that deletes; it may be done twice, or by two at once."""

    def __init__(
        self,
        *,
        store: JobStore,
        expiring: Expiring,
        files: JobFiles,
        uploads: Uploads,
        batch_work: BatchWork,
        sweeping: Sweeping,
        queue_names: QueueNames,
    ) -> None:
        self._store = store
        self._expiring = expiring
        self._files = files
        self._uploads = uploads
        self._batch_work = batch_work
        self._sweeping = sweeping
        self._queue_names = queue_names
        self._tidied_at = float("-inf")  # monotonic second

    def make_round(self) -> None:
        """Delete what is due.

        Raises:
            StoreUnavailable: Redis is away; the next round does the rest.
        """
        for duty in (self.purge_expired, self.purge_media, self.sweep):
            try:
                duty()
            except StorageUnavailable as error:
                log.warning("%s left for the next round: %s", duty.__name__, error)
        if time.monotonic() - self._tidied_at > TIDYING_SECONDS:
            self._tidied_at = time.monotonic()
            self._queue_names.forget_surplus()

    def purge_expired(self) -> None:
        """Delete jobs that are kept no longer, with all their files."""
        for job_id in self._expiring.jobs():
            try:
                job = self._store.get(job_id)
                if job.expires_at is None:
                    continue  # its owner has it run again
                self._files.purge(job)
                self._batch_work.look_at(job.batch_id)
                self._store.purge(job_id)
            except (JobNotFound, JobPurged):
                continue  # its owner was quicker
            log.info("kept long enough; purged", extra={"job_id": job_id})

    def purge_media(self) -> None:
        """Delete media that is kept no longer, and nothing else of its job."""
        for job_id in self._expiring.media():
            try:
                # Said before it is done, so that nobody counts on it from here on. The job stays
                # due until it is done: where this process dies, another one does it again.
                job = self._store.update(job_id, self._media_purged)
                self._files.purge_media(job)
                job = self._store.update(job_id, Job.media_gone)
            except (JobNotFound, JobPurged, IllegalMove):
                continue  # its owner was quicker
            bring_up_to_date(self._files, job, store=self._store)
            log.info("kept long enough; media deleted", extra={"job_id": job_id})

    def sweep(self) -> None:
        """Delete what was written of deleted jobs by those who did not know of it yet."""
        ids = self._sweeping.due(self._store.now())
        for id_ in ids:
            if id_.startswith("upl_"):
                self._sweep_upload(id_)
            else:
                self._files.discard(id_)
        self._sweeping.drop_messages(ids)
        self._sweeping.done(ids)

    def _sweep_upload(self, upload_id: str) -> None:
        """Delete an upload, unless it was given back and another job may take it."""
        upload = self._uploads.find(upload_id)
        if upload is None or upload.job_id is None:
            return
        try:
            self._store.get(upload.job_id)
        except (JobNotFound, JobPurged):
            self._files.drop_upload(upload_id, None)
            self._uploads.forget(upload_id)

    def _media_purged(self, job: Job) -> Job:
        return job.media_purged(self._moment())

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self._store.now(), UTC)


def retention(
    client: "redis.Redis", store: JobStore, s3: "S3Client", bucket: str, batch_work: BatchWork
) -> Retention:
    """Return what deletes in this Redis and this bucket."""
    return Retention(
        store=store,
        expiring=Expiring(client),
        files=JobFiles(s3, bucket),
        uploads=Uploads(client),
        batch_work=batch_work,
        sweeping=Sweeping(client),
        queue_names=QueueNames(client),
    )
