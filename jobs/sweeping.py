"""Erase what lies about of a job that is deleted, at once and, some minutes later, what came late.

    whisperline:sweeping    zset    ids of deleted jobs, and of the uploads that they took, by the
                                    second when somebody looks after them again

A worker that does not know yet that its job is deleted may still store something, and die before
it clears up; a message may wait for a worker in a queue that none takes from.
"""

import json
from collections.abc import Collection

import redis

from jobs.job import Job
from jobs.options import Priority
from jobs.redis_client import Pipe, redis_errors, texts
from jobs.source import UploadSource

SWEEPING = "whisperline:sweeping"
# A worker is told at its next sign of progress, and a part of an object takes no longer than this.
SWEEP_AFTER_SECONDS = 300

# Redis' own clock, as everywhere; in a step with others there is no other way to ask for it.
_LATER = "redis.call('ZADD', KEYS[1], redis.call('TIME')[1] + ARGV[1], ARGV[2])"


def heard_key(job_id: str) -> str:
    """Return where the text is that was heard of a job (jobs/heard.py)."""
    return f"whisperline:heard:{job_id}"


def holders_key(job_id: str) -> str:
    """Return where the requests are that hold a job (jobs/attachments.py)."""
    return f"whisperline:holders:{job_id}"


def erase(pipe: Pipe, job: Job) -> None:
    """Queue what deletes all of a job that is in Redis beside its record and its indexes."""
    pipe.delete(heard_key(job.id), holders_key(job.id))
    later(pipe, job.id)
    if isinstance(job.source, UploadSource):
        later(pipe, job.source.upload_id)


def later(pipe: Pipe, id_: str) -> None:
    """Queue what has a deleted job, or an upload that it took, looked after again."""
    pipe.eval(_LATER, 1, SWEEPING, str(SWEEP_AFTER_SECONDS), id_)


class Sweeping:
    """Deleted jobs that somebody has to look after again."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client

    def due(self, now: float, *, limit: int = 1000) -> list[str]:
        """Return ids of jobs and uploads whose time has come; `now` in seconds, as Redis says."""
        with redis_errors():
            return texts(self._redis.zrangebyscore(SWEEPING, "-inf", now, 0, limit))

    def done(self, ids: Collection[str]) -> None:
        """Look after these no longer."""
        if ids:
            with redis_errors():
                self._redis.zrem(SWEEPING, *ids)

    def drop_messages(self, job_ids: Collection[str]) -> None:
        """Take the messages of deleted jobs out of Celery's queues, where no worker did."""
        if not job_ids:
            return
        gone = set(job_ids)
        with redis_errors():
            for queue in Priority:
                for message in texts(self._redis.lrange(queue, 0, -1)):
                    if json.loads(message)["headers"]["id"] in gone:
                        self._redis.lrem(queue, 1, message)
