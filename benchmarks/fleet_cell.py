"""Look at a fleet for a while: so many GPUs beside a queue that stays so deep."""

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.fleet_activity import Window, busy_share
from benchmarks.fleet_costs import used
from benchmarks.fleet_service import BACKLOG, NEWCOMER, Service

_LOOK_SECONDS = 0.1
WORKING = ("valkey", "launcher", "housekeeper")  # whose cost must not grow; the launcher's
# are the workers with it, the API's depends on how jobs are sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What was seen of one fleet beside one queue."""

    gpus: int
    processes: int
    queued: int  # jobs of the backlog, all the time
    window_seconds: float
    load: float  # of the machine, its average of a minute, at the end
    jobs: int  # that ended in the window
    utilisation: float  # 0 to 1
    # A newcomer's jobs, one at a time: from the answer to POST until the pipeline begins.
    wait_seconds: list[float]
    submit_seconds: list[float]  # POST /v1/jobs beside the running fleet
    processor_seconds: Mapping[str, float]  # in the window, by program; launcher: workers too
    redis_commands: Mapping[str, float]
    s3_requests: Mapping[str, float]  # the workers'

    @property
    def processor_seconds_per_job(self) -> float:
        """Processor time of Redis, workers and housekeeper for each job."""
        return sum(self.processor_seconds.get(name, 0.0) for name in WORKING) / self.jobs

    @property
    def redis_commands_per_job(self) -> float:
        """Commands that Redis ran for each job, for all programs together."""
        return sum(self.redis_commands.values()) / self.jobs

    @property
    def s3_requests_per_job(self) -> float:
        """Requests that workers sent to storage for each job."""
        return sum(self.s3_requests.values()) / self.jobs

    def as_json(self) -> dict[str, Any]:
        """Return all of it."""
        return {
            **asdict(self),
            "processor_seconds_per_job": self.processor_seconds_per_job,
            "redis_commands_per_job": self.redis_commands_per_job,
            "s3_requests_per_job": self.s3_requests_per_job,
        }


def look_at(
    service: Service, *, gpus: int, queued: int, warm_up_seconds: float, window_seconds: float
) -> Cell:
    """Run a fleet beside a queue, in which a job comes for each that goes, and measure it."""
    service.fill(queued)
    demand = _Demand(service, missing=queued - service.depth())
    processes = service.start_fleet(gpus)
    try:
        demand.keep_up(seconds=warm_up_seconds)
        demand.forget()
        before, began = service.meters(), time.monotonic()
        demand.keep_up(seconds=window_seconds)
        after, ended, load = service.meters(), time.monotonic(), os.getloadavg()[0]
        service.activity.read()
    finally:
        service.stop_fleet()
        # What was handed back would stand before the next fleet's newcomer, in its own lane.
        service.withdraw_waiting(NEWCOMER)
    window = Window(began=began, ended=ended)
    stays = service.activity.stays
    cost = used(before, after)
    return Cell(
        gpus=gpus,
        processes=processes,
        queued=queued,
        window_seconds=window.seconds,
        load=load,
        jobs=sum(window.holds(stay.ended) for stay in stays),
        utilisation=busy_share(stays, window, gpus=gpus),
        wait_seconds=demand.wait_seconds,
        submit_seconds=demand.submit_seconds,
        processor_seconds=cost.processor_seconds,
        redis_commands=cost.redis_commands,
        s3_requests=cost.s3_requests,
    )


class _Demand:
    """Sends a job for each that began, and the newcomer's, one after the other.

    Args:
        service: where to.
        missing: how many more jobs should wait; negative: how many fewer.
    """

    def __init__(self, service: Service, *, missing: int) -> None:
        self._service = service
        self._missing = missing
        self._newcomer: tuple[str, float] | None = None  # its job that waits, and since when
        self.wait_seconds: list[float] = []
        self.submit_seconds: list[float] = []

    def forget(self) -> None:
        """Measure anew."""
        self.wait_seconds, self.submit_seconds = [], []

    def keep_up(self, *, seconds: float) -> None:
        """Go on for some time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._missing += self._service.activity.read()
            self._missing -= self._has_newcomer_begun()
            while self._missing > 0:
                self._submit(BACKLOG)
                self._missing -= 1
            if self._newcomer is None:
                self._newcomer = self._submit(NEWCOMER), time.monotonic()
            time.sleep(_LOOK_SECONDS)

    def _has_newcomer_begun(self) -> bool:
        """Whether the newcomer's job has begun since."""
        if self._newcomer is None:
            return False
        job_id, since = self._newcomer
        began = self._service.activity.began(job_id)
        if began is None:
            return False
        self.wait_seconds.append(began - since)
        self._newcomer = None
        return True

    def _submit(self, owner: str) -> str:
        began = time.perf_counter()
        job_id = self._service.submit(owner)
        self.submit_seconds.append(time.perf_counter() - began)
        return job_id
