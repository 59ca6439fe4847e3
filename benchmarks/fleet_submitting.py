"""Time submissions in turns: to a service without a queue, and to one with a deep queue.

No worker runs, so that nothing but the depth of the queue differs. Every job is withdrawn before
the next one is sent, which is not timed.
"""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from benchmarks.fleet_service import BACKLOG, NEWCOMER, Service

EMPTY, FULL = "empty", "full"
Seconds = dict[str, list[float]]  # by EMPTY and FULL, one entry a submission
_WARM_UP = 10  # pairs that are not counted


@dataclass(frozen=True, slots=True)
class Way:
    """How a job is sent, and by whom."""

    method: str
    owner: str

    @property
    def name(self) -> str:
        """What a table calls it."""
        who = "who has the backlog" if self.owner == BACKLOG else "somebody else"
        return f"{self.method} by {who}"


# A message is sent for somebody else's job at once, and for one behind a backlog is not.
WAYS = (Way("POST", BACKLOG), Way("PUT", BACKLOG), Way("POST", NEWCOMER))


def submit_in_turns(empty: Service, full: Service, *, runs: int) -> dict[str, Seconds]:
    """Return how long submissions took, by way and depth of the queue."""
    found: dict[str, Seconds] = {way.name: {EMPTY: [], FULL: []} for way in WAYS}
    for run in range(-_WARM_UP, runs):
        pair = ((EMPTY, empty), (FULL, full))
        for way in WAYS:
            for depth, service in pair if run % 2 else reversed(pair):
                seconds = _submit(service, way)
                if run >= 0:
                    found[way.name][depth].append(seconds)
    return found


def _submit(service: Service, way: Way) -> float:
    path = f"/v1/jobs/{uuid4().hex}" if way.method == "PUT" else "/v1/jobs"
    media = {"file": ("call.wav", service.script, "audio/wav")}
    began = time.perf_counter()
    answer = service.call(way.owner, way.method, path, files=media)
    seconds = time.perf_counter() - began
    service.withdraw(way.owner, answer.json()["id"])
    return seconds


def percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """Return the 50th and the 95th percentile, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=20, method="inclusive")
    return 1000 * cuts[9], 1000 * cuts[18]


def ratios(seconds: Mapping[str, Sequence[float]]) -> tuple[float, float]:
    """Return by which factor a full queue makes the two percentiles longer."""
    empty, full = percentiles(seconds[EMPTY]), percentiles(seconds[FULL])
    return full[0] / empty[0], full[1] / empty[1]
