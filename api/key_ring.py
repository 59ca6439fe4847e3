"""Say whose request it is: the owner behind a key."""

import hmac
import logging
import math
import threading
import time
from collections.abc import Iterable

from jobs.errors import StorageUnavailable, Unavailable
from jobs.key_files import KeyFiles, KeyHash, StoredKeys, hash_of, new_key

ANONYMOUS = "anonymous"  # the owner of every job while there are no keys
LOOK_SECONDS = 5.0  # a new key works, and a revoked one no longer, after this long

log = logging.getLogger(__name__)


class KeyRing:
    """All keys: those of the settings, and those in storage, read every LOOK_SECONDS."""

    def __init__(self, fixed: list[KeyHash], files: KeyFiles) -> None:
        self._fixed = fixed
        self._files = files
        self._lock = threading.Lock()
        self._stored: StoredKeys | None = None  # None: never read
        self._looked = 0.0  # monotonic second of the last look
        self._failed = 0.0  # monotonic second of the last look in vain

    def owner_of(self, key: str) -> str | None:
        """Return the owner that a key belongs to; None: nobody's.

        Raises:
            StorageUnavailable: the keys were never read, and cannot be.
        """
        sha256 = hash_of(key)
        owner: str | None = None
        # All of them are compared, each in constant time: how long it takes tells nothing.
        for known in self._keys():
            if hmac.compare_digest(known.sha256, sha256):
                owner = known.owner
        return owner

    def is_open(self) -> bool:
        """Whether there never was a key, so that nobody can have one.

        Raises:
            StorageUnavailable: the keys were never read, and cannot be. Nobody is let in then.
        """
        if self._keys():
            return False
        return self._stored is not None and not self._stored.is_closed

    def look_again(self) -> list[KeyHash]:
        """Return every key as of this moment: who changes them decides by no older ones.

        Raises:
            StorageUnavailable: those in storage cannot be read.
        """
        with self._lock:
            self._stored = self._files.read()
            self._looked = time.monotonic()
        return self._keys()

    def make(self, owner: str) -> str:
        """Make a key for an owner and return it, this once.

        Raises:
            StorageUnavailable: it could not be kept.
        """
        key = new_key()
        self._files.add(owner, hash_of(key))
        self._looked = -math.inf  # what was read is out of date
        return key

    def revoke(self, keys: Iterable[KeyHash]) -> None:
        """Let keys in no longer; they are of those in storage.

        Raises:
            StorageUnavailable: some may still be let in; do it again.
        """
        for key in keys:
            self._files.remove(key)
        self._looked = -math.inf

    def _keys(self) -> list[KeyHash]:
        now = time.monotonic()
        if self._stored is None or now - self._looked > LOOK_SECONDS:
            self._look(now)
        return [*self._fixed, *(self._stored.keys if self._stored else ())]

    def _look(self, now: float) -> None:
        # While one request reads, the others go on with what is known, if anything is.
        if not self._lock.acquire(blocking=self._stored is None):
            return
        try:
            if self._stored is not None and now <= self._looked + LOOK_SECONDS:
                return  # read while this one waited
            if self._stored is None and now <= self._failed:
                # Else all that waited would ask in vain, one after the other.
                msg = "the keys could not be read from storage a moment ago"
                raise StorageUnavailable(msg)
            try:
                self._stored = self._files.read()
            except Unavailable:
                self._failed = time.monotonic()
                if self._stored is None:
                    raise
                log.warning("keys not read; those of before stay good")
            self._looked = time.monotonic()
        finally:
            self._lock.release()


def keys_in(settings: tuple[str, ...]) -> list[KeyHash]:
    """Return the keys that settings name as name:sha256."""
    return [
        KeyHash(owner=owner, sha256=sha) for owner, _, sha in (k.partition(":") for k in settings)
    ]
