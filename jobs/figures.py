"""Say how much waits and how much was used, at a cost that does not grow with either."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import redis

from jobs.indexes import (
    LEASES,
    PACE,
    queued_bytes_key,
    queued_key,
    queued_unsized_key,
    usage_key,
)
from jobs.job import Job
from jobs.lanes import JOBS_WINDOW, Lanes
from jobs.options import Priority
from jobs.redis_client import redis_errors
from jobs.status import JobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """What waits in one queue."""

    name: Priority
    depth: int  # jobs
    oldest_age_seconds: float | None  # since the oldest came to the queue; None: it is empty
    media_bytes: int  # of those jobs whose media was received
    unsized: int  # jobs whose media was not


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What all jobs that succeeded were like, so that those to come can be guessed."""

    jobs: int = 0
    media_bytes: int = 0
    audio_seconds: float = 0.0
    processing_seconds: float = 0.0  # of workers that may have had other jobs at the same time

    def audio_seconds_of(self, queue: QueueFigures) -> float | None:
        """Guess how much sound waits in a queue; None: nothing is known to guess from."""
        return self._scaled(self.audio_seconds, queue)

    def processing_seconds_of(self, queue: QueueFigures) -> float | None:
        """Guess how long a worker that does one job at a time has for a queue; None: unknown."""
        return self._scaled(self.processing_seconds, queue)

    def _scaled(self, total: float, queue: QueueFigures) -> float | None:
        if queue.depth == 0:
            return 0.0
        if not self.media_bytes or not self.jobs:
            return None
        # What was not fetched yet is taken for as long as the others were.
        return queue.media_bytes * total / self.media_bytes + queue.unsized * total / self.jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits in all queues, the most urgent first."""

    queues: tuple[QueueFigures, ...]
    running: int  # jobs
    pace: Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOfUse:
    """What an owner's jobs that ended on a UTC day came to."""

    day: date
    succeeded: int
    failed: int
    canceled: int
    media_bytes: int
    audio_seconds: float
    processing_seconds: float


class Figures:
    """Reads what `jobs/indexes.py` counts."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client
        self._lanes = Lanes(client)

    def queue_position(self, job: Job) -> int | None:
        """Return how many jobs of its queue go before a job, if none comes in between.

        Owners take turns, so of the others' jobs only those count that come before its own turn.
        None: it does not wait.
        """
        if job.status is not JobStatus.QUEUED:
            return None
        return self._lanes.position(job.options.priority, job.owner, job.id, window=JOBS_WINDOW)

    def backlog(self) -> Backlog:
        """Return what waits now."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.time()
            pipe.zcard(LEASES)
            pipe.hgetall(PACE)
            for queue in Priority:
                pipe.zcard(queued_key(queue))
                pipe.zrange(queued_key(queue), 0, 0, withscores=True)
                pipe.mget(queued_bytes_key(queue), queued_unsized_key(queue))
            (seconds, microseconds), running, pace, *replies = pipe.execute()
        now = seconds + microseconds / 1e6
        per_queue = zip(Priority, replies[0::3], replies[1::3], replies[2::3], strict=True)
        return Backlog(
            queues=tuple(
                QueueFigures(
                    name=queue,
                    depth=depth,
                    oldest_age_seconds=max(0.0, now - oldest[0][1]) if oldest else None,
                    media_bytes=int(media_bytes or 0),
                    unsized=int(unsized or 0),
                )
                for queue, depth, oldest, (media_bytes, unsized) in per_queue
            ),
            running=running,
            pace=_pace(pace),
        )

    def usage(self, owner: str, days: Sequence[date]) -> tuple[DayOfUse, ...]:
        """Return what an owner used on each of these days, in their order."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for day in days:
                pipe.hgetall(usage_key(owner, day.isoformat()))
            counted = pipe.execute()
        return tuple(_day(day, counts) for day, counts in zip(days, counted, strict=True))


def _pace(counts: Mapping[str, str]) -> Pace:
    return Pace(
        jobs=int(counts.get("jobs", 0)),
        media_bytes=int(counts.get("media_bytes", 0)),
        audio_seconds=float(counts.get("audio_seconds", 0)),
        processing_seconds=float(counts.get("processing_seconds", 0)),
    )


def _day(day: date, counts: Mapping[str, str]) -> DayOfUse:
    return DayOfUse(
        day=day,
        succeeded=int(counts.get(JobStatus.SUCCEEDED, 0)),
        failed=int(counts.get(JobStatus.FAILED, 0)),
        canceled=int(counts.get(JobStatus.CANCELED, 0)),
        media_bytes=int(counts.get("media_bytes", 0)),
        audio_seconds=float(counts.get("audio_seconds", 0)),
        processing_seconds=float(counts.get("processing_seconds", 0)),
    )
