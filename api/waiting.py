"""Let requests wait for jobs: one Redis subscription for all of them in this process."""

import logging
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack

import redis

from api.connections import Slots, hang_ups
from jobs.errors import Unavailable
from jobs.job import Job
from jobs.redis_client import redis_errors
from jobs.store import CHANGES, JobStore

# A waiter looks at its job this often even if nothing is announced. What is published while the
# subscription is being renewed is lost, so everybody looks when there is a new one.
LOOK_SECONDS = 20.0
LISTEN_SECONDS = 30.0  # for an announcement; then Redis is asked for a sign of life

log = logging.getLogger(__name__)


class ClientGone(Exception):
    """The client hung up; nobody reads what is answered."""


class JobWatcher:
    """Wakes the waiters of a job when its record changes."""

    def __init__(self, client: "redis.Redis", store: JobStore, *, most_waiters: int) -> None:
        """Watch the jobs of a store.

        Args:
            client: of the Redis that announces changes. One that nothing else uses: its reads last
                long, which says nothing of whether Redis answers.
            store: where the jobs are.
            most_waiters: requests that may wait at once; each holds a thread of this process.
        """
        self._redis = client
        self._store = store
        self._places = Slots(most_waiters)
        self._lock = threading.Lock()
        self._waiters: dict[str, set[threading.Event]] = defaultdict(set)
        self._thread: threading.Thread | None = None
        self._is_subscribed = True  # as far as the log says

    def place(self) -> ExitStack:
        """Take a place among the waiters; leaving the context or `close()` gives it back.

        Raises:
            TooManyWaiting: there is none.
        """
        return self._places.take()

    def wait(
        self,
        job_id: str,
        until: Callable[[Job], bool],
        *,
        seconds: float,
        client: socket.socket | None = None,
    ) -> Job:
        """Return the job as soon as `until` holds, or as it is after `seconds`.

        Args:
            job_id: which job.
            until: asked whenever the job changed, in any way.
            seconds: to wait at most.
            client: whose hanging up ends the wait.

        Raises:
            JobNotFound, JobPurged: there is no (longer a) record.
            StoreUnavailable: Redis is away.
            ClientGone: nobody waits any longer.
        """
        deadline = time.monotonic() + seconds
        changed = threading.Event()
        self._listen_for(job_id, changed)
        try:
            with hang_ups.watch(client, on_gone=changed.set) as gone:
                while True:
                    changed.clear()  # before the look, so that no change falls between the two
                    job = self._store.get(job_id)
                    left = deadline - time.monotonic()
                    if until(job) or left <= 0:
                        return job
                    if gone.is_set():
                        raise ClientGone
                    changed.wait(min(left, LOOK_SECONDS))
        finally:
            self._forget(job_id, changed)

    def _listen_for(self, job_id: str, changed: threading.Event) -> None:
        with self._lock:
            self._waiters[job_id].add(changed)
            # Started by the first waiter, because a thread does not survive gunicorn's fork.
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, name="watcher", daemon=True)
                self._thread.start()

    def _forget(self, job_id: str, changed: threading.Event) -> None:
        with self._lock:
            waiters = self._waiters[job_id]
            waiters.discard(changed)
            if not waiters:
                del self._waiters[job_id]

    def _listen(self) -> None:
        while True:
            try:
                self._wake_until_error()
            except Unavailable as error:
                if self._is_subscribed:  # said once, not every second
                    log.warning("no subscription: %s", error)
                self._is_subscribed = False
                time.sleep(1.0)  # waiters look by themselves meanwhile

    def _wake_until_error(self) -> None:
        with redis_errors(), self._pubsub() as subscription:
            subscription.subscribe(CHANGES)
            self._is_subscribed = True
            self._wake_all()
            while True:
                message = subscription.get_message(timeout=LISTEN_SECONDS)
                if message is not None:
                    self._wake(str(message["data"]))
                # redis-py asks for signs of life and does not mind when none comes.
                if subscription.health_check_response_counter > 1:
                    msg = "a subscription without a sign of life"
                    raise redis.TimeoutError(msg)

    def _pubsub(self) -> redis.client.PubSub:
        subscription: redis.client.PubSub = self._redis.pubsub(  # type: ignore[no-untyped-call]
            ignore_subscribe_messages=True
        )
        return subscription

    def _wake_all(self) -> None:
        with self._lock:
            for waiters in self._waiters.values():
                for waiter in waiters:
                    waiter.set()

    def _wake(self, job_id: str) -> None:
        with self._lock:
            for waiter in self._waiters.get(job_id, ()):
                waiter.set()
