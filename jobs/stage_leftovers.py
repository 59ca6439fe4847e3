"""Delete what attempts gave other processes to work on, when the attempts are over.

    whisperline:stage-files    zset    <job id>/<attempt>, by the second when it was last known to
                                       have files

An attempt deletes its own when it ends. It cannot where its process was killed, and a process that
does a stage of it may still store something.
"""

import redis

from jobs.redis_client import redis_errors, texts
from jobs.stage_files import StageFiles
from jobs.store import JobStore
from jobs.sweeping import SWEEP_AFTER_SECONDS

STAGE_FILES = "whisperline:stage-files"


class StageLeftovers:
    """The attempts that may have files of stages."""

    def __init__(self, client: "redis.Redis", store: JobStore, files: StageFiles) -> None:
        self._redis = client
        self._store = store
        self._files = files

    def expect(self, job_id: str, attempt: str) -> None:
        """Have an attempt looked after, when it is over, and some minutes from now or later."""
        with redis_errors():
            self._redis.zadd(STAGE_FILES, {f"{job_id}/{attempt}": self._store.now()})

    def clear(self) -> int:
        """Delete what attempts that are over left; return of how many.

        Raises:
            Unavailable: Redis or storage is away; the rest is left for the next time.
        """
        latest = self._store.now() - SWEEP_AFTER_SECONDS
        with redis_errors():
            old = texts(self._redis.zrangebyscore(STAGE_FILES, "-inf", latest, 0, 1000))
        cleared = 0
        for member in old:
            job_id, _, attempt = member.partition("/")
            if self._is_held(job_id, attempt):
                continue
            self._files.clear(job_id, attempt)
            with redis_errors():
                self._redis.zrem(STAGE_FILES, member)
            cleared += 1
        return cleared

    def _is_held(self, job_id: str, attempt: str) -> bool:
        found = self._store.get_many([job_id])
        return any(job.lease is not None and job.lease.token == attempt for job in found)
