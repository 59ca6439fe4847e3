"""Reach object storage (S3), and translate what it raises: nothing of botocore crosses `jobs`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError

from jobs.errors import StorageUnavailable
from jobs.settings import StoreSettings
from jobs.silence import Silence

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ANSWER_SECONDS = 20.0  # for programs without a client who waits: a part on its way to a slow disk
# For the API. A request that meets a silent storage, and then a silent Redis, knows within five
# seconds and a half.
API_ANSWER_SECONDS = 3.0


def connect(settings: StoreSettings, *, answer_seconds: float = ANSWER_SECONDS) -> "S3Client":
    """Return a client that gives up when storage is away, and comes back by itself.

    Args:
        settings: where storage is.
        answer_seconds: from the last byte of a request until storage begins to answer, and between
            two pieces of its answer.
    """
    key, secret = settings.aws_access_key_id, settings.aws_secret_access_key
    client = boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.aws_region,
        aws_access_key_id=key.get_secret_value() if key else None,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},  # bucket.host needs DNS that self-hosters lack
            connect_timeout=2,
            read_timeout=answer_seconds,
            retries={"mode": "standard", "total_max_attempts": 2},
            max_pool_connections=64,
            # A second checksum of every byte, beside the signature's SHA-256; many S3
            # look-alikes refuse its trailer.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    _spare_when_silent(client)
    return client


def _spare_when_silent(client: "S3Client") -> None:
    """Try once, not twice, where storage is silent, and one caller at a time from then on."""
    silence = Silence("object storage (S3)")

    def ask(**_: object) -> None:
        if silence.refuses():
            raise ReadTimeoutError(endpoint_url="not asked: it did not answer a moment ago")

    def decide(caught_exception: Exception | None = None, **_: object) -> None:
        if caught_exception is not None and _was_silent(caught_exception):
            raise caught_exception  # before botocore's own rule asks again

    def answered(**_: object) -> None:
        silence.heard()

    def failed(exception: Exception, **_: object) -> None:
        if _was_silent(exception):
            silence.fell_silent()
        else:
            silence.heard()

    events = client.meta.events
    events.register_first("before-call.s3", ask)
    events.register_first("needs-retry.s3", decide)
    events.register("after-call.s3", answered)
    events.register("after-call-error.s3", failed)


def _was_silent(error: BaseException | None) -> bool:
    """Whether storage let us wait; what it does not take from us botocore calls a closed line."""
    while error is not None:
        if isinstance(error, (ConnectTimeoutError, ReadTimeoutError, TimeoutError)):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def storage_errors() -> Iterator[None]:
    """Raise StorageUnavailable for whatever S3 could not do."""
    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        msg = "object storage (S3) does not answer; try again shortly"
        raise StorageUnavailable(msg) from error
