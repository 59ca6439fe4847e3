"""Take care of the jobs that a dead process leaves, without waiting for their leases to run out."""

import logging
from collections.abc import Collection
from functools import partial

from jobs.attempt import SetbackCode
from jobs.dispatch import Dispatch
from jobs.errors import LeaseLost, Unavailable
from jobs.job import Job
from jobs.leases import Leases
from jobs.options import Priority
from jobs.request_errors import IllegalMove, JobNotFound, JobPurged
from jobs.store import JobStore

log = logging.getLogger(__name__)


class Bereaved:
    """The jobs of processes that are surely dead."""

    def __init__(self, store: JobStore, leases: Leases, dispatch: Dispatch) -> None:
        self._store = store
        self._leases = leases
        self._dispatch = dispatch

    def put_back(
        self, process: str, code: SetbackCode | None, *, culprits: Collection[str] = ()
    ) -> frozenset[str]:
        """Let others have the jobs of a process; return their ids, as far as they are known.

        Args:
            process: that is gone.
            code: why; None: it ended of itself, and no job is to blame.
            culprits: the jobs it died for; the others are innocent. Empty: nobody knows.
        """
        found: set[str] = set()
        try:
            for job in self._leases.of_process(process):
                found.add(job.id)
                is_to_blame = code is not None and (not culprits or job.id in culprits)
                self._lose(job, code if is_to_blame else None)
            # It had messages too of which it made no claim yet; nobody else knows of those.
            for queue in Priority:
                self._dispatch.send_lost(queue, after_seconds=0.0)
        except Unavailable as error:
            log.warning("jobs of a dead process wait for their leases to run out: %s", error)
        return frozenset(found)

    def _lose(self, job: Job, code: SetbackCode | None) -> None:
        if job.lease is None:
            return
        token = job.lease.token
        if code is None:
            change = partial(Job.put_back, token=token)
        else:
            change = partial(Job.set_back, code=code, token=token)
        try:
            after = self._store.update(job.id, change)
        except (LeaseLost, IllegalMove, JobNotFound, JobPurged):
            return  # it is over, or somebody else's by now
        log.warning(
            "its process is gone (%s); now %s",
            code or "ended",
            after.status,
            extra={"job_id": job.id},
        )
        self._dispatch.feed(after.options.priority, after.owner)
