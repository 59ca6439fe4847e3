"""Measure how long after a fault what it hurt was well again."""

import statistics
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from jobs.errors import Unavailable
from jobs.job import Job
from jobs.store import JobStore

GIVEN_UP_SECONDS = 120.0
_LOOK_SECONDS = 0.25


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of all faults of one kind."""

    injected: int = 0
    in_flight: int = 0  # jobs that were not over, when it came; of all of them together
    recovered: list[float] = field(default_factory=list)  # seconds
    given_up: int = 0  # not well after GIVEN_UP_SECONDS

    @property
    def median(self) -> float:
        """Seconds until the service was well again."""
        return statistics.median(self.recovered) if self.recovered else 0.0

    @property
    def longest(self) -> float:
        """Seconds until the service was well again, at worst."""
        return max(self.recovered, default=0.0)


class Recoveries:
    """Follows every fault until what it hurt is well; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.tallies: dict[str, Tally] = {}

    def follow(self, fault: str, in_flight: int, is_well: Callable[[], bool]) -> None:
        """Count a fault that has just come, and wait in the background until `is_well`."""
        with self._lock:
            tally = self.tallies.setdefault(fault, Tally())
            tally.injected += 1
            tally.in_flight += in_flight
        thread = threading.Thread(target=self._wait, args=(tally, is_well), name=f"after-{fault}")
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait until everything is well, or given up."""
        for thread in self._threads:
            thread.join()

    def _wait(self, tally: Tally, is_well: Callable[[], bool]) -> None:
        began = time.monotonic()
        while time.monotonic() - began < GIVEN_UP_SECONDS:
            with suppress(Unavailable):  # another fault is on
                if is_well():
                    with self._lock:
                        tally.recovered.append(time.monotonic() - began)
                    return
            time.sleep(_LOOK_SECONDS)
        with self._lock:
            tally.given_up += 1


def in_other_hands(store: JobStore, jobs: list[Job]) -> Callable[[], bool]:
    """Return whether each of some running jobs is over, waits again, or is another attempt's.

    When its turn comes is a matter of how much waits before it, and of what else was hurt.
    """
    tokens = {job.id: job.lease.token for job in jobs if job.lease is not None}

    def is_well() -> bool:
        for job in store.get_many(list(tokens)):
            if job.lease is not None and job.lease.token == tokens[job.id]:
                return False
            tokens.pop(job.id)
        return True

    return is_well
