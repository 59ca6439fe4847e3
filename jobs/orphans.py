"""Delete what is in object storage and nobody's: left behind by programs that died.

    jobs/<id>/…          of a submission that was never answered, or that came after the job's
                         deletion
    uploads/<id>/…       without a record, and not the media of a job
    multipart uploads    begun and neither ended nor given up
    names/<owner>/key/…  whose day is over

While Redis does not know all that it should, nothing is deleted. All ages are by storage's clock.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import redis

from jobs.files import JobFiles
from jobs.indexes import UPLOADS_USED
from jobs.job_folders import JobFolders
from jobs.redis_client import redis_errors
from jobs.s3_client import storage_errors
from jobs.storage_clock import time_of
from jobs.store import JobStore
from jobs.uploads import Uploads

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

SUBMISSION = timedelta(hours=24)  # longer than any request
UPLOAD = timedelta(hours=25)  # an hour longer than the addresses for its parts hold

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """How much was deleted."""

    jobs: int = 0
    uploads: int = 0
    multipart_uploads: int = 0
    names: int = 0


class Orphans:
    """Finds and deletes what is nobody's.

    Args:
        client: of the Redis.
        s3: of storage.
        bucket: ours.
        store: the records of jobs.
        files: what jobs have in storage.
        submission: what a job without ledger is left for.
        upload: what an upload without a record is left for.
    """

    def __init__(
        self,
        client: "redis.Redis",
        s3: "S3Client",
        bucket: str,
        *,
        store: JobStore,
        files: JobFiles,
        submission: timedelta = SUBMISSION,
        upload: timedelta = UPLOAD,
    ) -> None:
        self._redis = client
        self._s3 = s3
        self._bucket = bucket
        self._store = store
        self._files = files
        self._folders = JobFolders(s3, bucket)
        self._uploads = Uploads(client)
        self._submission = submission
        self._upload = upload

    def clear(self) -> Cleared:
        """Delete what is nobody's.

        Raises:
            Unavailable: Redis or storage is away; some is left for the next time.
        """
        if not self._store.is_rebuilt():
            return Cleared()
        with storage_errors():
            now = time_of(self._s3.head_bucket(Bucket=self._bucket))
        cleared = Cleared(
            jobs=sum(self._clear_jobs(ids, now) for ids in self._folders.newest_first(now)),
            uploads=self._clear_uploads(now),
            multipart_uploads=self._abort_multipart_uploads(now),
            names=self._files.names.drop_old(now),
        )
        if cleared != Cleared():
            log.info("cleared away what was nobody's: %s", cleared)
        return cleared

    def _clear_jobs(self, ids: Sequence[str], now: datetime) -> int:
        known = self._store.known(ids)
        purged = self._store.purged(ids)
        return sum(
            self._clear_job(job_id, now, is_purged=job_id in purged)
            for job_id in ids
            if job_id not in known or job_id in purged
        )

    def _clear_job(self, job_id: str, now: datetime, *, is_purged: bool) -> bool:
        found = list(self._objects(f"jobs/{job_id}/"))
        if not is_purged:
            # An entry in the ledger comes back as a job.
            if any(item["Key"].endswith("/job.json") for item in found):
                return False
            if any(now - item["LastModified"] < self._submission for item in found):
                return False
        if not self._store.is_rebuilt():
            return False
        self._files.discard(job_id)
        return True

    def _clear_uploads(self, now: datetime) -> int:
        old = {
            item["Key"].split("/")[1]
            for item in self._objects("uploads/")
            if now - item["LastModified"] >= self._upload
        }
        cleared = 0
        for upload_id in sorted(old):
            if not self._is_wanted(upload_id) and self._store.is_rebuilt():
                self._files.drop_upload(upload_id, None)
                cleared += 1
        return cleared

    def _abort_multipart_uploads(self, now: datetime) -> int:
        aborted = 0
        with storage_errors():
            pages = self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket)
            begun = [item for page in pages for item in page.get("Uploads", [])]
            for item in begun:
                kind, _, rest = item["Key"].partition("/")
                if kind not in ("jobs", "uploads") or now - item["Initiated"] < self._upload:
                    continue
                if kind == "uploads" and self._is_wanted(rest.split("/")[0]):
                    continue
                self._s3.abort_multipart_upload(
                    Bucket=self._bucket, Key=item["Key"], UploadId=item["UploadId"]
                )
                aborted += 1
        return aborted

    def _is_wanted(self, upload_id: str) -> bool:
        """Whether an upload has a record, or is the media of a job."""
        with redis_errors():
            is_used = bool(self._redis.sismember(UPLOADS_USED, upload_id))
        return is_used or self._uploads.find(upload_id) is not None

    def _objects(self, prefix: str) -> "Iterator[ObjectTypeDef]":
        with storage_errors():
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            for page in pages:
                yield from page.get("Contents", [])
