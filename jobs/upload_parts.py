"""Look after the parts that clients send to object storage, and put them together."""

from contextlib import suppress
from http import HTTPStatus
from itertools import pairwise
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from jobs.errors import StorageUnavailable
from jobs.files import upload_key
from jobs.request_errors import UploadIncomplete, UploadNotFound
from jobs.s3_client import storage_errors
from jobs.upload import Upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PartTypeDef

_NAMED_RUNS = 20  # of missing parts, in a message


class UploadParts:
    """The parts of uploads, in storage."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._s3 = client
        self._bucket = bucket

    def begin(self, upload_id: str) -> str:
        """Let parts be sent; return S3's own id of the upload."""
        with storage_errors():
            return self._s3.create_multipart_upload(
                Bucket=self._bucket,
                Key=upload_key(upload_id),
                ContentType="application/octet-stream",
            )["UploadId"]

    def arrived(self, upload: Upload, *, first: int = 1, last: int | None = None) -> set[int]:
        """Return which of the parts from `first` to `last` are there in full.

        Raises:
            UploadNotFound: storage knows neither the upload nor its media.
        """
        last = last or upload.parts
        found = self._sent(upload, first, last)
        if found is None:
            if self._stored_bytes(upload) == upload.bytes:  # joined; the record does not say so yet
                return set(range(first, last + 1))
            msg = "storage knows this upload no longer; begin a new one"
            raise UploadNotFound(msg)
        return {part for part, sent in found.items() if sent["Size"] == upload.bytes_of(part)}

    def join(self, upload: Upload) -> None:
        """Make one object of all parts; a second time, nothing happens.

        Raises:
            UploadIncomplete: parts are missing, or of a wrong size; says which.
        """
        try:
            self._join_sent(upload)
        except (UploadIncomplete, StorageUnavailable):
            # While another request joins the parts, they vanish from the list one by one.
            if self._stored_bytes(upload) != upload.bytes:
                raise

    def _join_sent(self, upload: Upload) -> None:
        found = self._sent(upload, 1, upload.parts)
        if found is not None:
            _must_be_whole(upload, found)
            with storage_errors(), suppress(self._s3.exceptions.NoSuchUpload):
                self._s3.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=upload_key(upload.id),
                    UploadId=upload.s3_upload_id,
                    MultipartUpload={
                        "Parts": [
                            {"PartNumber": part, "ETag": sent["ETag"]}
                            for part, sent in sorted(found.items())
                        ]
                    },
                )
        stored = self._stored_bytes(upload)
        if stored != upload.bytes:
            msg = f"storage has {stored} of {upload.bytes} bytes; begin a new upload"
            raise UploadIncomplete(msg)

    def _sent(self, upload: Upload, first: int, last: int) -> "dict[int, PartTypeDef] | None":
        """Return what arrived of some parts; None if storage knows of no such upload.

        A part that was sent twice may be listed twice (SeaweedFS 4.48); the later one counts.
        """
        listed: list[PartTypeDef] = []
        marker, is_more = first - 1, True
        with storage_errors():
            while is_more and marker < last:
                try:
                    page = self._s3.list_parts(
                        Bucket=self._bucket,
                        Key=upload_key(upload.id),
                        UploadId=upload.s3_upload_id,
                        PartNumberMarker=marker,
                    )
                except self._s3.exceptions.NoSuchUpload:
                    return None
                listed += page.get("Parts", [])
                marker, is_more = page.get("NextPartNumberMarker", last), page["IsTruncated"]
        listed.sort(key=lambda part: part["LastModified"])
        return {part["PartNumber"]: part for part in listed if part["PartNumber"] <= last}

    def _stored_bytes(self, upload: Upload) -> int:
        with storage_errors():
            try:
                found = self._s3.head_object(Bucket=self._bucket, Key=upload_key(upload.id))
            except ClientError as error:
                status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
                if status != HTTPStatus.NOT_FOUND:
                    raise
                return 0
        return found["ContentLength"]


def _must_be_whole(upload: Upload, found: "dict[int, PartTypeDef]") -> None:
    missing = [part for part in range(1, upload.parts + 1) if part not in found]
    if missing:
        msg = f"not all parts of the upload are there; missing: {runs(missing)}"
        raise UploadIncomplete(msg)
    for part, sent in found.items():
        expected = upload.bytes_of(part)
        if sent["Size"] != expected:
            msg = f"part {part} has {sent['Size']} bytes instead of {expected}; send it again"
            raise UploadIncomplete(msg)


def runs(parts: list[int]) -> str:
    """Return ascending numbers as `2, 4-17, 20`, cut after some."""
    breaks = [index for index, (one, next_) in enumerate(pairwise(parts), 1) if next_ != one + 1]
    bounds = [0, *breaks, len(parts)]
    runs = [(parts[start], parts[stop - 1]) for start, stop in pairwise(bounds)]
    named = [f"{one}" if one == other else f"{one}-{other}" for one, other in runs[:_NAMED_RUNS]]
    return ", ".join(named) + (" and more" if len(runs) > _NAMED_RUNS else "")
