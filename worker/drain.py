"""Let a worker that is told to end finish what it can, and hand back the rest."""

import threading
import time

from jobs.errors import HandedBack


class Drain:
    """The time that jobs have left, once their worker is told to end.

    Args:
        seconds: from the first word to end until jobs are handed back.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._deadline: float | None = None  # monotonic second; None: nobody said anything

    @property
    def has_begun(self) -> bool:
        """Whether nothing new is to be begun."""
        return self._deadline is not None

    def begin(self) -> None:
        """Begin nothing new and finish what ends in time; told again, hand all back at once."""
        with self._lock:
            is_first = self._deadline is None
            self._deadline = time.monotonic() + (self._seconds if is_first else 0.0)

    def check(self) -> None:
        """Raise HandedBack once the time of jobs that run is over."""
        deadline = self._deadline
        if deadline is not None and time.monotonic() >= deadline:
            msg = "the worker ends; another one does the job"
            raise HandedBack(msg)

    def must_not_have_begun(self) -> None:
        """Raise HandedBack where nothing new is to be begun."""
        if self.has_begun:
            msg = "the worker ends; another one does the job"
            raise HandedBack(msg)
