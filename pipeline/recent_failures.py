"""Remember what failed a moment ago, so that nobody waits for it again."""

import threading
import time
from collections.abc import Hashable


class RecentFailures:
    """What failed lately and why; safe to share between threads."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._failures: dict[Hashable, tuple[float, str]] = {}  # until when, why

    def remember(self, key: Hashable, reason: str) -> None:
        """Hold a failure for the agreed time, from now."""
        with self._lock:
            self._failures[key] = (time.monotonic() + self._seconds, reason)

    def reason(self, key: Hashable) -> str | None:
        """Tell why `key` failed; None: not lately."""
        with self._lock:
            until, reason = self._failures.get(key, (0.0, ""))
            return reason if time.monotonic() < until else None

    def forget(self, key: Hashable) -> None:
        """Let `key` be tried again."""
        with self._lock:
            self._failures.pop(key, None)
