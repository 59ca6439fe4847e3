"""Keep API keys in object storage, as hashes: what an emptied Redis must not make an open door.

keys/<owner>/<sha256 of the key>     empty; the object's time is when the key was made
keys/.closed                         empty; there was a key once: without any, nobody is let in
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from jobs.s3_client import storage_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PREFIX = "keys/"
_CLOSED = f"{_PREFIX}.closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHash:
    """A key that opens the door for an owner."""

    owner: str
    sha256: str  # in hexadecimal; the key itself is kept nowhere
    created_at: datetime | None = None  # None: in the settings


def new_key() -> str:
    """Return a key that nobody guesses: 256 random bits."""
    return f"wl_{secrets.token_urlsafe(32)}"


def hash_of(key: str) -> str:
    """Return what is kept of a key; keys are 256 random bits, so a fast hash hides them."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKeys:
    """What storage says of keys."""

    keys: tuple[KeyHash, ...]
    is_closed: bool  # there was a key once: revoking the last one opens nothing


class KeyFiles:
    """The keys that were made while the service ran."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._s3 = client
        self._bucket = bucket

    def read(self) -> StoredKeys:
        """Return every key."""
        found: list[KeyHash] = []
        is_closed = False
        with storage_errors():
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=_PREFIX
            )
            for page in pages:
                for item in page.get("Contents", []):
                    owner, _, sha256 = item["Key"].removeprefix(_PREFIX).partition("/")
                    is_closed = is_closed or item["Key"] == _CLOSED
                    if sha256:
                        found.append(
                            KeyHash(owner=owner, sha256=sha256, created_at=item["LastModified"])
                        )
        return StoredKeys(keys=tuple(found), is_closed=is_closed)

    def add(self, owner: str, sha256: str) -> None:
        """Let a key in, and from now on nobody without one."""
        with storage_errors():
            for name in (_CLOSED, f"{_PREFIX}{owner}/{sha256}"):
                self._s3.put_object(Bucket=self._bucket, Key=name, Body=b"")

    def remove(self, key: KeyHash) -> None:
        """Let a key in no longer."""
        with storage_errors():
            self._s3.delete_object(Bucket=self._bucket, Key=f"{_PREFIX}{key.owner}/{key.sha256}")

    def reopen(self) -> None:
        """Let everybody in again while there is no key."""
        with storage_errors():
            self._s3.delete_object(Bucket=self._bucket, Key=_CLOSED)
