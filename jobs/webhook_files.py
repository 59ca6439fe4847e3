"""Keep what owners set up for webhooks where an emptied Redis cannot forget it.

webhooks/<owner>/<endpoint id>.json    the Endpoint
webhooks/<owner>/secret.json           the owner's own WebhookSecret
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel

from jobs.s3_client import storage_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class WebhookFiles:
    """The ledger of webhooks, in object storage."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._s3 = client
        self._bucket = bucket

    def write(self, owner: str, name: str, value: BaseModel) -> None:
        """Write an endpoint or a secret down; what stood there is replaced."""
        with storage_errors():
            self._s3.put_object(
                Bucket=self._bucket,
                Key=_key(owner, name),
                Body=value.model_dump_json().encode(),
                ContentType="application/json",
            )

    def read(self, owner: str, name: str) -> bytes | None:
        """Return what is written down, as JSON; None: nothing."""
        with storage_errors():
            try:
                found = self._s3.get_object(Bucket=self._bucket, Key=_key(owner, name))
            except self._s3.exceptions.NoSuchKey:
                return None
            return found["Body"].read()

    def names(self) -> Iterator[tuple[str, str]]:
        """Yield owner and name of all that is written down."""
        with storage_errors():
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix="webhooks/"
            )
            for page in pages:
                for item in page.get("Contents", []):
                    _, owner, name = item["Key"].split("/", 2)
                    yield owner, name.removesuffix(".json")

    def delete(self, owner: str, name: str) -> None:
        """Delete what is written down; nothing happens if there is nothing."""
        with storage_errors():
            self._s3.delete_object(Bucket=self._bucket, Key=_key(owner, name))


def _key(owner: str, name: str) -> str:
    return f"webhooks/{owner}/{name}.json"
