"""Sign addresses that let a client send a part of its media to object storage by itself."""

from typing import TYPE_CHECKING

from jobs.files import upload_key
from jobs.s3_client import storage_errors
from jobs.upload import Upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Presigner:
    """Signs with a client of the endpoint that clients reach, which never connects.

    An address is a secret: whoever has it may send these bytes. None is ever logged.
    """

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._s3 = client
        self._bucket = bucket

    def part_url(self, upload: Upload, part: int, *, valid_seconds: int) -> str:
        """Return where to PUT a part, as often as it takes, until the upload is complete.

        The length is signed, so that storage refuses a body of any other; and as every upload is
        one of S3's multipart uploads, the address is dead once it is complete or deleted: what a
        job has taken cannot change, and what was purged does not come back.
        """
        with storage_errors():
            return self._s3.generate_presigned_url(
                "upload_part",
                Params={
                    "Bucket": self._bucket,
                    "Key": upload_key(upload.id),
                    "UploadId": upload.s3_upload_id,
                    "PartNumber": part,
                    "ContentLength": upload.bytes_of(part),
                },
                ExpiresIn=valid_seconds,
            )
