"""Put back jobs whose worker died, and send messages again that got lost. Safe to run twice."""

import logging
import threading

from jobs.errors import JobNotFound, JobPurged, Unavailable
from jobs.job import JobStatus
from jobs.leases import Leases
from jobs.options import Priority
from jobs.queue import JobQueue
from jobs.store import JobStore

ROUND_SECONDS = 5.0  # with the lease's 30 s: a dead worker's job waits for 35 s at most
LOST_AFTER_SECONDS = 15.0  # a message that a living worker holds becomes a claim at once

log = logging.getLogger(__name__)


class Housekeeper:
    """Looks after jobs that nobody looks after."""

    def __init__(self, *, store: JobStore, leases: Leases, queue: JobQueue) -> None:
        self._store = store
        self._leases = leases
        self._queue = queue

    def run(self, stop: threading.Event) -> None:
        """Make rounds until told to stop."""
        while not stop.wait(ROUND_SECONDS):
            try:
                self.make_round()
            except Unavailable as error:
                log.warning("round given up: %s", error)

    def make_round(self) -> None:
        """Do every duty once.

        Raises:
            Unavailable: Redis or the broker is away; the next round does the rest.
        """
        self.put_back_expired()
        for queue in Priority:
            self.send_again(queue)

    def put_back_expired(self) -> None:
        """Queue the jobs of dead workers."""
        for job_id in self._leases.expired():
            try:
                job = self._leases.put_back_expired(job_id)
            except (JobNotFound, JobPurged):
                continue
            if job is None:
                continue
            log.warning("its worker died; now %s", job.status, extra={"job_id": job_id})
            if job.status is JobStatus.QUEUED:
                self._queue.send(job_id, job.options.priority)

    def send_again(self, queue: Priority) -> None:
        """Send the messages of queued jobs that have none: lost, or in a dead worker's hands.

        A message too many does no harm, as the second claim of a job is refused. All messages
        are read only when fewer lie in the queue than jobs wait for them.
        """
        waiting = self._store.waiting_since(queue, seconds=LOST_AFTER_SECONDS)
        if len(waiting) <= self._queue.waiting(queue):
            return
        sent = self._queue.waiting_ids(queue)
        for job_id in waiting:
            if job_id not in sent:
                log.warning("no message waits for it; sent again", extra={"job_id": job_id})
                self._queue.send(job_id, queue)
