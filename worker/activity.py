"""Know which jobs a process has in work, and since when each of them makes no progress."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from jobs.stages import Stage


class Activity:
    """What the jobs in work did last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, tuple[tuple[Stage, float] | None, float]] = {}

    @contextmanager
    def of(self, job_id: str) -> Iterator[None]:
        """Count a job as in work while the block runs."""
        with self._lock:
            self._last[job_id] = (None, time.monotonic())
        try:
            yield
        finally:
            with self._lock:
                del self._last[job_id]

    def note(self, job_id: str, stage: Stage, fraction: float) -> None:
        """Take note of where a job is; only what is new is progress."""
        with self._lock:
            found = self._last.get(job_id)
            if found is not None and found[0] != (stage, fraction):
                self._last[job_id] = ((stage, fraction), time.monotonic())

    def excuse(self, job_id: str) -> None:
        """Begin to count anew: the job waits for what is away."""
        with self._lock:
            found = self._last.get(job_id)
            if found is not None:
                self._last[job_id] = (found[0], time.monotonic())

    def job_ids(self) -> tuple[str, ...]:
        """Return the jobs in work at this moment."""
        with self._lock:
            return tuple(sorted(self._last))

    def quiet_seconds(self) -> dict[str, float]:
        """Return for how long each job has made no progress."""
        now = time.monotonic()
        with self._lock:
            return {job_id: now - since for job_id, (_, since) in self._last.items()}
