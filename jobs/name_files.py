"""Keep in object storage (S3) which names stand for a job or a batch (jobs/reservations.py).

    names/<owner>/key/<sha256 of an Idempotency-Key>.json       the settled Reservation
    names/<owner>/id/<sha256 of the id a client gave>.json      the same; goes with its job

A request that is sent twice makes one job also when Redis was emptied in between. Written once the
job is there, and before the request is answered: so only ever by the request that got the name.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jobs.reservations import (
    IDEMPOTENCY_SECONDS,
    NameKind,
    Reservation,
    Reservations,
    digest_of,
)
from jobs.s3_client import storage_errors
from jobs.storage_clock import age_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

_PREFIX = "names/"


class NameFiles:
    """The ledger of names, in object storage."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._s3 = client
        self._bucket = bucket

    def write(self, owner: str, name: Reservation) -> None:
        """Write down what a name stands for."""
        with storage_errors():
            self._s3.put_object(
                Bucket=self._bucket,
                Key=_key(owner, name.kind, name.key.rpartition(":")[2]),
                Body=name.model_dump_json().encode(),
                ContentType="application/json",
            )

    def read(self, owner: str, kind: NameKind, name: str) -> Reservation | None:
        """Return what a name stands for; None: nothing, or its time is over."""
        with storage_errors():
            try:
                found = self._s3.get_object(
                    Bucket=self._bucket, Key=_key(owner, kind, digest_of(name))
                )
            except self._s3.exceptions.NoSuchKey:
                return None
            if kind is NameKind.IDEMPOTENCY_KEY and age_of(found) > IDEMPOTENCY_SECONDS:
                return None
            return Reservation.model_validate_json(found["Body"].read())

    def delete(self, owner: str, kind: NameKind, name: str) -> None:
        """Let a name stand for nothing; nothing happens if it does not."""
        with storage_errors():
            self._s3.delete_object(Bucket=self._bucket, Key=_key(owner, kind, digest_of(name)))

    def drop_old(self, now: datetime) -> int:
        """Delete the keys whose time is over; return how many.

        Args:
            now: by the clock of storage.
        """
        over = now - timedelta(seconds=IDEMPOTENCY_SECONDS)
        return self._delete_where(
            lambda item: (
                f"/{NameKind.IDEMPOTENCY_KEY}/" in item["Key"] and item["LastModified"] < over
            )
        )

    def clear(self) -> int:
        """Let no name stand for anything any more; return how many did."""
        return self._delete_where(lambda item: True)

    def _delete_where(self, is_over: "Callable[[ObjectTypeDef], bool]") -> int:
        deleted = 0
        with storage_errors():
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=_PREFIX
            )
            for page in pages:
                for item in filter(is_over, page.get("Contents", [])):
                    self._s3.delete_object(Bucket=self._bucket, Key=item["Key"])
                    deleted += 1
        return deleted


def take(
    reservations: Reservations, files: NameFiles, owner: str, kind: NameKind, name: str
) -> Reservation:
    """Return the name, taken for this request, or settled by an earlier one that Redis forgot.

    Raises:
        SubmissionInProgress: another request with this name is still being received.
        Unavailable: it cannot be known whether there was an earlier request.
    """
    taken = reservations.take(owner, kind, name)
    if taken.is_settled:
        return taken
    try:
        known = files.read(owner, kind, name)
    except BaseException:
        reservations.give_back(taken)
        raise
    if known is None:
        return taken
    reservations.remember(taken, known)
    return known


def _key(owner: str, kind: NameKind, digest: str) -> str:
    return f"{_PREFIX}{owner}/{kind}/{digest}.json"
