"""Read a job's media from object storage, whole or a part of it, a little at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from jobs.files import media_key
from jobs.job import Job
from jobs.request_errors import MediaNotKept
from jobs.s3_client import storage_errors

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES = 256 * 1024  # in memory at a time, for each client


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMedia:
    """What storage knows of media."""

    key: str
    bytes: int
    etag: str  # in its quotes; another one means other bytes
    modified_at: datetime


class MediaStream:
    """Some bytes of media, as they come from storage."""

    def __init__(self, body: "StreamingBody") -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        """Yield all bytes, CHUNK_BYTES at a time.

        Raises:
            StorageUnavailable: storage broke off.
        """
        while True:
            with storage_errors():
                chunk = self._body.read(CHUNK_BYTES)
            if not chunk:
                return
            yield chunk

    def close(self) -> None:
        """Let go of storage, also in the middle."""
        self._body.close()


class MediaReader:
    """The media of all jobs."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._s3 = client
        self._bucket = bucket

    def find(self, job: Job) -> StoredMedia:
        """Return what storage knows of a job's media.

        Raises:
            MediaNotKept: it is not there, or not there yet.
        """
        if not job.is_media_kept:
            msg = f"the job is {job.status}, and its media was not fetched from its source yet"
            raise MediaNotKept(msg)
        key = media_key(job)
        with storage_errors():
            try:
                found = self._s3.head_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
                if status != HTTPStatus.NOT_FOUND:
                    raise
                msg = "the media of this job is not in storage"
                raise MediaNotKept(msg) from error
        return StoredMedia(
            key=key,
            bytes=found["ContentLength"],
            etag=found["ETag"],
            modified_at=found["LastModified"],
        )

    def open(self, media: StoredMedia, *, start: int, stop: int) -> MediaStream:
        """Return the bytes from `start` up to, but not including, `stop`.

        Raises:
            StorageUnavailable: storage does not answer, or holds other bytes by now.
        """
        with storage_errors():
            answer = self._s3.get_object(
                Bucket=self._bucket,
                Key=media.key,
                Range=f"bytes={start}-{stop - 1}",
                IfMatch=media.etag,
            )
        return MediaStream(answer["Body"])
