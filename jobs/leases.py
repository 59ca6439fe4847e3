"""Give running jobs to one worker at a time, and take them back from the dead.

The expiry of each lease stands in the sorted set `whisperline:leases` (see `jobs/store.py`); the
token that proves it is in the record, so that an attempt which lost its lease is refused by
`Job` itself, whatever it tries to write.
"""

from dataclasses import dataclass

import redis

from jobs import lanes
from jobs.attempt import Lease, SetbackCode
from jobs.errors import LeaseLost
from jobs.indexes import LEASES
from jobs.job import Job
from jobs.redis_client import Pipe, redis_errors, texts
from jobs.status import JobStatus
from jobs.store import JobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What came of a claim."""

    job: Job
    is_mine: bool  # False: it is over, or in other hands
    must_be_alone: bool = False  # it is to be had, but only with a lease that says so


class Leases:
    """Who works on what, and until when."""

    def __init__(self, client: "redis.Redis", store: JobStore) -> None:
        self._redis = client
        self._store = store

    def claim(self, job_id: str, lease: Lease) -> Claim:
        """Give the job to a worker, in one step, unless it is over or somebody holds it.

        A job whose last worker died at its last attempt fails here. Either way the message that
        brought the id is done with.

        Raises:
            JobNotFound, JobPurged: there is no record.
        """

        def write(pipe: Pipe, job: Job, now: float) -> Claim:
            if job.lease is not None and job.lease.token == lease.token:
                return Claim(job=job, is_mine=True)  # it came through before, unseen
            if job.status.is_final or _is_held(pipe, job, now):
                pipe.multi()
                lanes.settle(pipe, job.options.priority, job.owner, job.id)
                return Claim(job=job, is_mine=False)
            waiting = job
            if job.status is JobStatus.RUNNING:
                waiting = job.set_back(SetbackCode.CRASHED)
            gives_up = waiting.status.is_final
            if waiting.must_be_alone and not gives_up and not lease.is_alone:
                return Claim(job=job, is_mine=False, must_be_alone=True)
            changed = waiting if gives_up else waiting.claimed(lease)
            pipe.multi()
            if gives_up:
                lanes.settle(pipe, job.options.priority, job.owner, job.id)
            written = self._store.write(pipe, changed, was=job, now=now)
            return Claim(job=written, is_mine=not gives_up)

        return self._store.transact(job_id, write)

    def renew(self, job_id: str, token: str) -> None:
        """Keep a lease for another LEASE_SECONDS.

        Raises:
            LeaseLost: the job is over, or another attempt's.
        """

        def write(pipe: Pipe, job: Job, now: float) -> None:
            if job.lease is None or job.lease.token != token:
                msg = f"the lease of {job_id} is gone"
                raise LeaseLost(msg)
            # The record is written again as it is, so that a claim which saw the old expiry a
            # moment ago decides once more.
            pipe.multi()
            self._store.write(pipe, job, was=job, now=now, announce=False)

        self._store.transact(job_id, write)

    def expired(self, *, limit: int = 1000) -> list[str]:
        """Return ids of running jobs whose lease ran out, longest ago first."""
        with redis_errors():
            return texts(self._redis.zrangebyscore(LEASES, "-inf", self._store.now(), 0, limit))

    def put_back_expired(self, job_id: str) -> Job | None:
        """Queue a job whose lease ran out; None if it did not, or the job is over.

        After MAX_ATTEMPTS the job fails instead; the returned job says which.
        """

        def write(pipe: Pipe, job: Job, now: float) -> Job | None:
            if job.status is not JobStatus.RUNNING or _is_held(pipe, job, now):
                return None
            changed = job.set_back(SetbackCode.CRASHED)
            pipe.multi()
            return self._store.write(pipe, changed, was=job, now=now)

        return self._store.transact(job_id, write)

    def of_process(self, process: str) -> list[Job]:
        """Return the running jobs of one process; of all workers together there are few."""
        with redis_errors():
            ids = texts(self._redis.zrange(LEASES, 0, -1))
        jobs = self._store.get_many(ids)
        return [job for job in jobs if job.lease is not None and job.lease.process == process]


def _is_held(pipe: Pipe, job: Job, now: float) -> bool:
    expires = pipe.zscore(LEASES, job.id)  # a watched pipe reads at once
    return job.status is JobStatus.RUNNING and isinstance(expires, float) and expires > now
