"""Reach object storage (S3), and translate what it raises: nothing of botocore crosses `jobs`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from jobs.errors import StorageUnavailable
from jobs.settings import StoreSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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
def storage_errors() -> Iterator[None]:
    """Raise StorageUnavailable for whatever S3 could not do."""
    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        msg = "object storage (S3) does not answer; try again shortly"
        raise StorageUnavailable(msg) from error
