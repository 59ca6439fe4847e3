"""Decide when a process that died is started again, and when its GPU is given up."""

import random
from collections.abc import Set
from dataclasses import dataclass, field

HEALTHY_SECONDS = 300.0  # at work, after which earlier deaths are forgotten
_JITTER = 0.25  # of a pause: GPUs that fail together do not load their models together again


@dataclass(slots=True, kw_only=True)
class Restarts:
    """How often the process of one place died in a row.

    A row ends when the process has ended a job, or was at work for HEALTHY_SECONDS. Jobs kill
    processes too: one that has done so here before is to blame for it again, not the GPU.

    Args:
        give_up_after: deaths; 0: never.
        longest_pause_seconds: before a start.
    """

    give_up_after: int
    longest_pause_seconds: float
    deaths: int = 0
    killers: set[str] = field(default_factory=set)  # ids of jobs under way at those deaths

    def count(self, jobs: Set[str]) -> None:
        """Take a death into account.

        Args:
            jobs: ids of those that it had in work.
        """
        if not jobs or not self.killers.issuperset(jobs):
            self.deaths += 1
            self.killers |= jobs

    def forget(self) -> None:
        """Begin a new row: the process does what it is for."""
        self.deaths = 0
        self.killers.clear()

    @property
    def are_over(self) -> bool:
        """Whether it died too often."""
        return 0 < self.give_up_after <= self.deaths

    def pause(self) -> float:
        """Return the seconds until the next start: 1, 2, 4 …, and a random quarter on top."""
        # The exponent is bounded as a float is: what dies for a day dies a thousand times.
        pause = 2.0 ** min(max(self.deaths - 1, 0), 16)
        pause *= 1.0 + random.uniform(0.0, _JITTER)  # noqa: S311  # nobody is to guess it
        return min(pause, self.longest_pause_seconds)
