"""Let several requests hold one job, and end it when the last of them hangs up.

    whisperline:same:<owner>:<fingerprint>    string   the id of the job that a held request made
    whisperline:holders:<job id>              zset     tokens of requests by the second they lapse

A request renews its token while it waits, so one whose process died lets go by itself.
"""

import secrets
from contextlib import suppress
from dataclasses import dataclass

import redis

from jobs.job import Job
from jobs.redis_client import Pipe, redis_errors
from jobs.request_errors import IllegalMove, JobNotFound, JobPurged
from jobs.store import JobStore
from jobs.sweeping import holders_key

HELD_SECONDS = 60.0
_SAME_SECONDS = 12 * 3600  # longer than any job


class SameUnderWay(Exception):
    """A job of the same bytes and options was made a moment ago; attach to it."""


class Attachments:
    """Which requests hold which jobs."""

    def __init__(self, client: "redis.Redis", store: JobStore) -> None:
        self._redis = client
        self._store = store

    def attach(self, owner: str, fingerprint: str) -> tuple[Job, str] | None:
        """Hold the job that the same bytes and options made before; None if none is under way.

        Returns:
            The job, and the token to let it go with.
        """
        with redis_errors():
            job_id = self._redis.get(_same(owner, fingerprint))
        if not isinstance(job_id, str):
            return None
        token = new_token()

        def write(pipe: Pipe, job: Job, now: float) -> Job | None:
            if job.status.is_final or job.owner != owner:
                return None
            # The record is written as it is, so that a last holder who lets go at this moment
            # looks again.
            pipe.multi()
            self._store.write(pipe, job, was=job, now=now, announce=False)
            _hold(pipe, job_id, token, now)
            return job

        try:
            held = self._store.transact(job_id, write)
        except (JobNotFound, JobPurged):
            return None
        return (held, token) if held is not None else None

    def renew(self, job_id: str, token: str) -> None:
        """Say that the request still waits."""
        with redis_errors():
            pipe = self._redis.pipeline()
            _hold(pipe, job_id, token, self._store.now())
            pipe.execute()

    def let_go(self, job_id: str, token: str) -> Job | None:
        """Stop holding a job; the last one to do so cancels it.

        Returns:
            The canceled job; None if others hold it, or it is over.
        """

        def write(pipe: Pipe, job: Job, now: float) -> Job | None:
            others = pipe.zcount(holders_key(job_id), f"({now}", "+inf")
            mine = pipe.zscore(holders_key(job_id), token)
            is_mine_alive = isinstance(mine, float) and mine > now
            is_last = int(str(others)) - is_mine_alive <= 0
            ends = is_last and not job.status.is_final
            pipe.multi()
            pipe.zrem(holders_key(job_id), token)
            if not ends:
                # Written as it is, so that of two who let go at once the second looks again.
                if not job.status.is_final:
                    self._store.write(pipe, job, was=job, now=now, announce=False)
                return None
            return self._store.write(pipe, job.canceled(), was=job, now=now)

        try:
            return self._store.transact(job_id, write)
        except (JobNotFound, JobPurged, IllegalMove):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstOfItsKind:
    """The condition that no job under way is the same; with the job, its request holds it."""

    owner: str
    fingerprint: str
    token: str  # of the request
    store: JobStore

    @property
    def key(self) -> str:
        """Where the id of the same job would be."""
        return _same(self.owner, self.fingerprint)

    def check(self, pipe: Pipe) -> None:
        """Raise SameUnderWay where the same request came first."""
        job_id = pipe.get(self.key)
        if not isinstance(job_id, str):
            return
        with suppress(JobNotFound, JobPurged):
            if not self.store.get(job_id).status.is_final:
                raise SameUnderWay

    def settle(self, pipe: Pipe, job: Job, now: float) -> None:
        """Queue what makes the job known to the next request that asks for the same."""
        pipe.set(self.key, job.id, ex=_SAME_SECONDS)
        _hold(pipe, job.id, self.token, now)


def new_token() -> str:
    """Return what a request lets go of a job with."""
    return secrets.token_hex(8)


def _hold(pipe: Pipe, job_id: str, token: str, now: float) -> None:
    pipe.zremrangebyscore(holders_key(job_id), "-inf", now)
    pipe.zadd(holders_key(job_id), {token: now + HELD_SECONDS})
    pipe.expire(holders_key(job_id), int(HELD_SECONDS) * 2)


def _same(owner: str, fingerprint: str) -> str:
    return f"whisperline:same:{owner}:{fingerprint}"
