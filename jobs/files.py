"""Keep what is large or must outlive Redis in object storage (S3).

    jobs/<id>/job.json                       the ledger: the Job as accepted, then as ended
    jobs/<id>/media                          the upload, as it came
    jobs/<id>/<attempt>/transcript.json      the canonical transcript of one attempt
    jobs/<id>/<attempt>/transcript.srt …     its renderings

Each attempt writes below its own unguessable name and the record says which one counts, so a
worker that lost its lease can never write over the transcript of another.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from jobs.errors import StorageUnavailable, TranscriptNotReady
from jobs.job import Job
from jobs.multipart import MultipartWriter
from jobs.settings import StoreSettings

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

# A download holds this many parts at once; more would not be faster on one disk.
_TRANSFER = TransferConfig(multipart_chunksize=16 * 1024 * 1024, max_concurrency=4)


def connect(settings: StoreSettings) -> "S3Client":
    """Return a client that gives up in seconds when storage is away."""
    key, secret = settings.aws_access_key_id, settings.aws_secret_access_key
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.aws_region,
        aws_access_key_id=key.get_secret_value() if key else None,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},  # bucket.host needs DNS that self-hosters lack
            connect_timeout=2,
            read_timeout=20,  # a store that syncs a 16 MiB part to a slow disk
            retries={"mode": "standard", "total_max_attempts": 2},
            max_pool_connections=64,
            # A second checksum of every byte, beside the signature's SHA-256; many S3
            # look-alikes refuse its trailer.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        msg = "object storage (S3) does not answer; try again shortly"
        raise StorageUnavailable(msg) from error


def _folder(job_id: str) -> str:
    return f"jobs/{job_id}/"


class JobFiles:
    """The media, the transcripts and the ledger entry of each job."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._s3 = client
        self._bucket = bucket

    def ping(self) -> None:
        """Raise StorageUnavailable unless the bucket is there."""
        with _storage_errors():
            self._s3.head_bucket(Bucket=self._bucket)

    def ensure_bucket(self) -> None:
        """Make the bucket unless it is there."""
        with _storage_errors():
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
        with _storage_errors():
            writer = MultipartWriter(
                self._s3, self._bucket, f"{_folder(job_id)}media", content_type=content_type
            )
            try:
                yield writer
                writer.close()
            except BaseException:
                writer.abort()
                raise

    def fetch_media(self, job_id: str, target: Path) -> None:
        """Bring the media to a file; memory does not grow with it."""
        with _storage_errors():
            self._s3.download_file(
                self._bucket, f"{_folder(job_id)}media", str(target), Config=_TRANSFER
            )

    def write_ledger(self, job: Job) -> None:
        """Write down the job where a lost Redis cannot forget it."""
        self._put(f"{_folder(job.id)}job.json", job.model_dump_json(), "application/json")

    def put_transcript(
        self, job_id: str, attempt: str, *, suffix: str, content: str, media_type: str
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
        with _storage_errors():
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]

    def purge(self, job_id: str) -> None:
        """Delete everything of a job; nothing happens if there is nothing."""
        with _storage_errors():
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=_folder(job_id)
            )
            for page in pages:
                objects: list[ObjectIdentifierTypeDef] = [
                    {"Key": item["Key"]} for item in page.get("Contents", [])
                ]
                if objects:
                    self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": objects})

    def _put(self, key: str, content: str, media_type: str) -> None:
        with _storage_errors():
            self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=content.encode(), ContentType=media_type
            )
