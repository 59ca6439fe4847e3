"""Let workers say that they are alive, and the API say who is.

whisperline:worker:<name>      string   a WorkerStatus as JSON, forgotten after ALIVE_SECONDS
whisperline:workers            zset     their names by the second from which they count as gone

The names are kept apart because to find the keys means to go through all keys, of jobs too.
"""

from collections.abc import Iterable
from typing import Literal

import redis
from pydantic import AwareDatetime, BaseModel, ConfigDict

from jobs.redis_client import redis_errors, texts
from jobs.stage_call import StageRole
from jobs.transaction import redis_seconds

ALIVE_SECONDS = 30  # three heartbeats
_PREFIX = "whisperline:worker:"
_NAMES = "whisperline:workers"


class Gpu(BaseModel):
    """The card that a worker computes on."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    uuid: str  # the same whatever the process may see of the machine
    index: int  # among the cards that the process sees
    vram_used_bytes: int  # by all processes on the card
    vram_total_bytes: int


class WorkerStatus(BaseModel):
    """What a worker process says of itself, every few seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str  # as Celery and Flower show it: cpu@host
    device: Literal["cpu", "cuda"]
    compute_type: str
    started_at: AwareDatetime
    jobs_at_once: int = 1  # at most
    jobs: tuple[str, ...] = ()  # ids it works on
    loaded_models: tuple[str, ...] = ()
    rss_bytes: int | None = None  # of the process, without the GPU's; None: not known
    gpu: Gpu | None = None  # None: it computes on the CPU
    stage: StageRole | None = None  # all it does; None: whole jobs

    @property
    def slots(self) -> int:
        """How many jobs it takes from the queues at once; 0: it only does a stage for others."""
        runs_jobs = self.stage in (None, StageRole.WHISPER)
        return self.jobs_at_once if runs_jobs else 0


def unserved_stages(workers: Iterable[WorkerStatus]) -> tuple[StageRole, ...]:
    """Return the stages that some worker has done by others, but none does."""
    roles = {worker.stage for worker in workers}
    if StageRole.WHISPER not in roles:
        return ()
    return tuple(role for role in StageRole if role not in roles)


class WorkerRegistry:
    """The workers that were heard of lately."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client

    def report(self, status: WorkerStatus) -> None:
        """Say that a worker is alive."""
        with redis_errors():
            now = redis_seconds(self._redis)
            pipe = self._redis.pipeline()
            pipe.set(f"{_PREFIX}{status.name}", status.model_dump_json(), ex=ALIVE_SECONDS)
            pipe.zadd(_NAMES, {status.name: now + ALIVE_SECONDS})
            pipe.zremrangebyscore(_NAMES, "-inf", now)  # who went without a word
            pipe.execute()

    def leave(self, name: str) -> None:
        """Say that a worker is gone, so that nobody waits for its silence."""
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.delete(f"{_PREFIX}{name}")
            pipe.zrem(_NAMES, name)
            pipe.execute()

    def alive(self) -> list[WorkerStatus]:
        """Return the living workers, by name; what it costs grows with their number only."""
        with redis_errors():
            names = sorted(texts(self._redis.zrange(_NAMES, 0, -1)))
            reports = self._redis.mget([f"{_PREFIX}{name}" for name in names]) if names else []
        return [WorkerStatus.model_validate_json(report) for report in reports if report]
