"""Store an object of unknown size while its bytes arrive."""

import hashlib
import logging
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

# S3 takes at most 10,000 parts, so an object may reach 80 GB; one upload holds one part.
PART_BYTES = 8 * 1024 * 1024

log = logging.getLogger(__name__)


class MultipartWriter:
    """Sends each PART_BYTES as they are full; a smaller object goes in one put.

    `written_bytes` and `sha256` describe what was written so far.
    """

    def __init__(
        self, client: "S3Client", bucket: str, key: str, *, content_type: str | None
    ) -> None:
        self._s3 = client
        self._bucket = bucket
        self._key = key
        self._content_type = content_type or "application/octet-stream"
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._parts: list[CompletedPartTypeDef] = []
        self._hash = hashlib.sha256()
        self.written_bytes = 0

    @property
    def sha256(self) -> str:
        """The digest of all bytes so far, in hexadecimal."""
        return self._hash.hexdigest()

    def write(self, chunk: bytes | bytearray) -> None:
        """Take the next bytes; blocks while a full part is on its way."""
        self._hash.update(chunk)
        self.written_bytes += len(chunk)
        self._buffer += chunk
        if len(self._buffer) >= PART_BYTES:
            self._send_part()

    def close(self) -> None:
        """Make the object appear, whole."""
        if self._upload_id is None:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=self._key,
                Body=bytes(self._buffer),
                ContentType=self._content_type,
            )
            return
        if self._buffer:
            self._send_part()
        self._s3.complete_multipart_upload(
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self._upload_id,
            MultipartUpload={"Parts": self._parts},
        )

    def abort(self) -> None:
        """Leave nothing behind. May be called at any time, also twice; never raises.

        Parts that storage does not give up now go with the housekeeper's round.
        """
        self._buffer.clear()
        if self._upload_id is None:
            return
        upload_id, self._upload_id = self._upload_id, None
        try:
            self._s3.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=upload_id)
        except (BotoCoreError, ClientError) as error:
            # What brought us here says more to the client than this would.
            log.warning("parts of %s are left: %s", self._key, error)

    def _send_part(self) -> None:
        if self._upload_id is None:
            self._upload_id = self._s3.create_multipart_upload(
                Bucket=self._bucket, Key=self._key, ContentType=self._content_type
            )["UploadId"]
        number = len(self._parts) + 1
        etag = self._s3.upload_part(
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self._upload_id,
            PartNumber=number,
            Body=bytes(self._buffer),
        )["ETag"]
        self._parts.append({"PartNumber": number, "ETag": etag})
        self._buffer = bytearray()
