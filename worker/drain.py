"""Let a worker that is told to end finish what it can, and hand back the rest."""

import time

from jobs.errors import HandedBack


class Drain:
    """The time that jobs have left, once their worker is told to end.

    Args:
        seconds: from the first word to end until jobs are handed back.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline: float | None = None  # monotonic second; None: nobody said anything

    @property
    def has_begun(self) -> bool:
        """Whether nothing new is to be begun."""
        return self._deadline is not None

    def begin(self) -> None:
        """Begin nothing new and finish what ends in time; told again, hand all back at once.

        Called by signal handlers, so it takes no lock.
        """
        is_first = self._deadline is None
        self._deadline = time.monotonic() + (self._seconds if is_first else 0.0)

    def overdue_seconds(self) -> float:
        """Return for how long jobs should have been handed back; negative: they have time."""
        return float("-inf") if self._deadline is None else time.monotonic() - self._deadline

    def check(self) -> None:
        """Raise HandedBack once the time of jobs that run is over."""
        if self.overdue_seconds() >= 0:
            msg = "the worker ends; another one does the job"
            raise HandedBack(msg)

    def must_not_have_begun(self) -> None:
        """Raise HandedBack where nothing new is to be begun."""
        if self.has_begun:
            msg = "the worker ends; another one does the job"
            raise HandedBack(msg)
