"""Keep what is large or must outlive Redis in object storage (S3).

    jobs/<id>/job.json                       the ledger: the Job as accepted, then as ended
    jobs/<id>/media                          the upload, as it came
    jobs/<id>/<attempt>/transcript.json      the canonical transcript of one attempt
    jobs/<id>/<attempt>/transcript.srt …     its renderings
    uploads/<upload id>/media                media that a client sends by itself (jobs/uploads.py)
    names/<owner>/…                          what names stand for (jobs/name_files.py)
    batches/<id>/…                           batches (jobs/batch_files.py)
    keys/<owner>/<sha256>                    API keys (jobs/key_files.py)

Each attempt writes below its own unguessable name and the record says which one counts, so a
worker that lost its lease can never write over the transcript of another.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from jobs.errors import FetchedTooLarge, FetchFailed
from jobs.job import Job
from jobs.multipart import MultipartWriter
from jobs.name_files import NameFiles
from jobs.request_errors import TranscriptNotReady
from jobs.reservations import NameKind
from jobs.s3_client import storage_errors
from jobs.source import UploadSource
from jobs.storage_clock import age_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

# A download holds this many parts at once; more would not be faster on one disk.
_TRANSFER = TransferConfig(multipart_chunksize=16 * 1024 * 1024, max_concurrency=4)


def _folder(job_id: str) -> str:
    return f"jobs/{job_id}/"


def gone_key(batch_id: str, job_id: str) -> str:
    """Return where it says that a job of a batch was deleted by itself."""
    return f"batches/{batch_id}/gone/{job_id}"


def upload_key(upload_id: str) -> str:
    """Return where media is that a client sends by itself."""
    return f"uploads/{upload_id}/media"


def media_key(job: Job) -> str:
    """Return where a job's media is, in our own bucket."""
    if isinstance(job.source, UploadSource):
        return upload_key(job.source.upload_id)
    return f"{_folder(job.id)}media"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """What the ledger says of a job."""

    job: Job
    age_seconds: float  # since it was written, by the clock of storage


class JobFiles:
    """The media, the transcripts and the ledger entry of each job."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._s3 = client
        self._bucket = bucket
        self.names = NameFiles(client, bucket)

    def ping(self) -> None:
        """Raise StorageUnavailable unless the bucket is there."""
        with storage_errors():
            self._s3.head_bucket(Bucket=self._bucket)

    def ensure_bucket(self) -> None:
        """Make the bucket unless it is there."""
        with storage_errors():
            try:
                self._s3.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
                    raise
                self._s3.create_bucket(Bucket=self._bucket)

    @contextmanager
    def media_writer(self, job_id: str, *, content_type: str | None) -> Iterator[MultipartWriter]:
        """Store media while it arrives; on an exception nothing is left.

        Raises:
            StorageUnavailable: a part was not taken.
        """
        with storage_errors():
            writer = MultipartWriter(
                self._s3, self._bucket, f"{_folder(job_id)}media", content_type=content_type
            )
            try:
                yield writer
                writer.close()
            except BaseException:
                writer.abort()
                raise

    def fetch_media(
        self, job: Job, target: Path, *, on_bytes: "Callable[[int], None] | None" = None
    ) -> None:
        """Bring the media to a file; memory does not grow with it.

        Args:
            job: whose.
            target: where to.
            on_bytes: told of every further stretch, by several threads.

        Raises:
            FetchFailed: it is not in storage any more.
            StorageUnavailable: storage does not answer.
        """
        with storage_errors():
            try:
                self._s3.download_file(
                    self._bucket,
                    media_key(job),
                    str(target),
                    Config=_TRANSFER,
                    Callback=on_bytes,
                )
            except ClientError as error:
                status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
                if status != HTTPStatus.NOT_FOUND:
                    raise
                msg = "its media is not in storage any more; send it again"
                raise FetchFailed(msg) from error

    def put_media(self, job: Job, source: Path, *, content_type: str | None) -> None:
        """Keep media that a worker fetched from elsewhere."""
        with storage_errors():
            self._s3.upload_file(
                str(source),
                self._bucket,
                media_key(job),
                ExtraArgs={"ContentType": content_type or "application/octet-stream"},
                Config=_TRANSFER,
            )

    def fetch_object(self, bucket: str, key: str, target: Path, *, max_bytes: int) -> None:
        """Bring an object of another bucket to a file.

        Raises:
            FetchFailed: there is no such object, or it is not ours to read.
            FetchedTooLarge: it has more than `max_bytes`.
        """
        with storage_errors():
            try:
                size = self._s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
            except ClientError as error:
                status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
                if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise
                msg = f"there is no such object, or it may not be read (status {status})"
                raise FetchFailed(msg) from error
            if size > max_bytes:
                msg = f"the object is too large: the limit is {max_bytes // 1024**2} MiB"
                raise FetchedTooLarge(msg)
            self._s3.download_file(bucket, key, str(target), Config=_TRANSFER)

    def write_ledger(self, job: Job) -> None:
        """Write down the job where a lost Redis cannot forget it."""
        self._put(f"{_folder(job.id)}job.json", job.model_dump_json().encode(), "application/json")

    def read_ledger(self, job_id: str) -> LedgerEntry | None:
        """Return what the ledger says of a job; None: nothing."""
        with storage_errors():
            try:
                found = self._s3.get_object(Bucket=self._bucket, Key=f"{_folder(job_id)}job.json")
            except self._s3.exceptions.NoSuchKey:
                return None
            job = Job.model_validate_json(found["Body"].read())
            return LedgerEntry(job=job, age_seconds=age_of(found))

    def withdraw_ledger(self, job_id: str) -> None:
        """Take back the ledger entry of a job of which nobody was told; its media stays."""
        with storage_errors():
            self._s3.delete_object(Bucket=self._bucket, Key=f"{_folder(job_id)}job.json")

    def put_transcript(
        self, job_id: str, attempt: str, *, suffix: str, content: bytes, media_type: str
    ) -> None:
        """Store one rendering of the transcript of one attempt."""
        self._put(f"{_folder(job_id)}{attempt}/transcript{suffix}", content, media_type)

    def open_transcript(self, job: Job) -> "StreamingBody":
        """Return the canonical transcript of a finished job, as JSON.

        Raises:
            TranscriptNotReady: the job did not succeed (yet).
        """
        if job.transcript is None:
            msg = f"the job is {job.status}; there is no transcript to fetch"
            raise TranscriptNotReady(msg)
        key = f"{_folder(job.id)}{job.transcript}/transcript.json"
        with storage_errors():
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]

    def purge(self, job: Job, *, with_batch: bool = False) -> None:
        """Delete everything of a job; nothing happens if there is nothing.

        Args:
            job: which.
            with_batch: whether its whole batch goes; else a mark stays there, so that the manifest
                does not bring the job back.
        """
        if job.batch_id is not None and not with_batch:
            self._put(gone_key(job.batch_id, job.id), b"", "application/octet-stream")
        if job.client_id is not None:
            self.names.delete(job.owner, NameKind.CLIENT_ID, job.client_id)
        if isinstance(job.source, UploadSource):
            self._delete(f"uploads/{job.source.upload_id}/")
        self._delete(_folder(job.id))

    def purge_media(self, job: Job) -> None:
        """Delete the media of a job; nothing happens if there is none."""
        with storage_errors():
            self._s3.delete_object(Bucket=self._bucket, Key=media_key(job))

    def drop_upload(self, upload_id: str, s3_upload_id: str | None) -> None:
        """Delete what a client sent by itself, whole or in parts."""
        if s3_upload_id is not None:
            with storage_errors(), suppress(self._s3.exceptions.NoSuchUpload):
                self._s3.abort_multipart_upload(
                    Bucket=self._bucket, Key=upload_key(upload_id), UploadId=s3_upload_id
                )
        self._delete(f"uploads/{upload_id}/")

    def discard(self, job_id: str) -> None:
        """Delete what was stored for a job that did not come to be."""
        self._delete(_folder(job_id))

    def _delete(self, folder: str) -> None:
        with storage_errors():
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=folder
            )
            for page in pages:
                objects: list[ObjectIdentifierTypeDef] = [
                    {"Key": item["Key"]} for item in page.get("Contents", [])
                ]
                if objects:
                    self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": objects})

    def _put(self, key: str, content: bytes, media_type: str) -> None:
        with storage_errors():
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=media_type)
