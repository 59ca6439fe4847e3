"""Keep a lease alive while its job runs, and notice when it is gone."""

import logging
import threading
from types import TracebackType
from typing import Self

from jobs.errors import LeaseLost, Unavailable
from jobs.leases import Leases
from jobs.request_errors import JobNotFound, JobPurged

HEARTBEAT_SECONDS = 10.0  # three beats fit into a lease
# After a beat that failed: a lease that ran out while Redis was away is renewed before anybody has
# taken it back (the housekeeper waits 15 s).
RETRY_SECONDS = 2.0

log = logging.getLogger(__name__)


class Heartbeat:
    """Renews a lease from a thread of its own, so that a long step costs no lease."""

    def __init__(self, leases: Leases, job_id: str, token: str) -> None:
        self._leases = leases
        self._job_id = job_id
        self._token = token
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease-{job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """Raise LeaseLost once the job is somebody else's, canceled or deleted."""
        if self._lost.is_set():
            msg = f"the lease of {self._job_id} is gone"
            raise LeaseLost(msg)

    def _beat(self) -> None:
        has_failed = False
        while not self._stop.wait(RETRY_SECONDS if has_failed else HEARTBEAT_SECONDS):
            try:
                self._leases.renew(self._job_id, self._token)
            except (LeaseLost, JobNotFound, JobPurged):
                self._lost.set()
                return
            except Unavailable as error:
                # The job goes on: if Redis is back in time the lease still stands, and if not,
                # the token in the record decides who may write.
                if not has_failed:
                    log.warning("no heartbeat: %s", error, extra={"job_id": self._job_id})
                has_failed = True
            else:
                if has_failed:
                    log.warning("the heart beats again", extra={"job_id": self._job_id})
                has_failed = False
