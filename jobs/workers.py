"""Let workers say that they are alive, their launchers that they are not, and the API who is.

    whisperline:worker:<name>       string   a WorkerStatus as JSON, forgotten after ALIVE_SECONDS
    whisperline:workers             zset     their names by the second until which they count
    whisperline:not_running:<name>  string   a NotRunning as JSON, forgotten likewise, or after
                                             LAST_WORD_SECONDS where the launcher ended over it
    whisperline:not_running         zset     their names likewise

The names are kept apart because to find the keys means to go through all keys, of jobs too.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple, cast

import redis
from pydantic import AwareDatetime, BaseModel, ConfigDict

from jobs.redis_client import redis_errors, texts
from jobs.stage_call import StageRole
from jobs.transaction import redis_seconds

ALIVE_SECONDS = 30  # three heartbeats
LAST_WORD_SECONDS = 24 * 3600  # that a launcher is remembered which gave up everything


class _Kind(NamedTuple):
    """What is said of workers, under one sort of keys."""

    names: str  # a key
    prefix: str  # of the keys of what is said
    longest: int  # seconds that anything of it is kept


_ALIVE = _Kind("whisperline:workers", "whisperline:worker:", ALIVE_SECONDS)
_NOT_RUNNING = _Kind("whisperline:not_running", "whisperline:not_running:", LAST_WORD_SECONDS)


class Gpu(BaseModel):
    """The card that a worker computes on."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    uuid: str  # the same whatever the process may see of the machine
    index: int  # among the cards that the process sees
    vram_used_bytes: int  # by all processes on the card
    vram_total_bytes: int
    vram_process_bytes: int | None = None  # by this one; None: the driver does not tell
    utilization_percent: int | None = None  # of lately, by all; None: a MIG device has none


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
    process: str = ""  # tells it from another one of the same name

    @property
    def slots(self) -> int:
        """How many jobs it takes from the queues at once; 0: it only does a stage for others."""
        runs_jobs = self.stage in (None, StageRole.WHISPER)
        return self.jobs_at_once if runs_jobs else 0


class NotRunning(BaseModel):
    """What a launcher says of a place where no process takes jobs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str  # of the worker that should be there: gpu0@host
    state: Literal["starting", "restarting", "failed"]  # failed: it is not started again
    since: AwareDatetime
    deaths: int = 0  # in a row
    reason: str | None = None  # how the last process ended; None: none did yet
    gpu: Gpu | None = None  # None: the CPU, or a card that answers no more
    stage: StageRole | None = None


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

    def report(self, status: WorkerStatus) -> WorkerStatus | None:
        """Say that a worker is alive; return what was last said under its name."""
        before = self._keep(_ALIVE, status.name, status.model_dump_json(), ALIVE_SECONDS)
        return WorkerStatus.model_validate_json(before) if before else None

    def leave(self, name: str) -> None:
        """Say that a worker is gone, so that nobody waits for its silence."""
        self._forget(_ALIVE, [name])

    def report_not_running(self, found: NotRunning, *, is_last_word: bool = False) -> None:
        """Say that no process is where one should be."""
        seconds = LAST_WORD_SECONDS if is_last_word else ALIVE_SECONDS
        self._keep(_NOT_RUNNING, found.name, found.model_dump_json(), seconds)

    def forget_not_running(self, names: Iterable[str]) -> None:
        """Say that a place needs no mention: its process speaks for itself, or nobody wants it."""
        self._forget(_NOT_RUNNING, names)

    def alive(self) -> list[WorkerStatus]:
        """Return the living workers, by name; what it costs grows with their number only."""
        return [WorkerStatus.model_validate_json(report) for report in self._all(_ALIVE)]

    def not_running(self) -> list[NotRunning]:
        """Return the places without a process that takes jobs, by name."""
        return [NotRunning.model_validate_json(report) for report in self._all(_NOT_RUNNING)]

    def _keep(self, kind: _Kind, name: str, report: str, seconds: int) -> bytes | None:
        with redis_errors():
            now = redis_seconds(self._redis)
            pipe = self._redis.pipeline()
            pipe.set(f"{kind.prefix}{name}", report, ex=seconds, get=True)
            pipe.zadd(kind.names, {name: now + seconds})
            pipe.zremrangebyscore(kind.names, "-inf", now)  # who went without a word
            pipe.expire(kind.names, kind.longest)  # nor does it outlive the last of them
            before: bytes | None = pipe.execute()[0]
        return before

    def _forget(self, kind: _Kind, gone: Iterable[str]) -> None:
        with redis_errors():
            pipe = self._redis.pipeline()
            for name in gone:
                pipe.delete(f"{kind.prefix}{name}")
                pipe.zrem(kind.names, name)
            pipe.execute()

    def _all(self, kind: _Kind) -> list[bytes]:
        with redis_errors():
            known = sorted(texts(self._redis.zrange(kind.names, 0, -1)))
            found = cast(
                "list[bytes | None]",
                self._redis.mget([f"{kind.prefix}{name}" for name in known]) if known else [],
            )
        return [report for report in found if report]
