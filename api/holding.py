"""Hold a job for as long as a request waits for it, and let it end when nobody does."""

import logging
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from api.connections import hang_ups
from api.services import Services
from api.submission import Held
from api.waiting import ClientGone
from jobs.attachments import HELD_SECONDS
from jobs.errors import StoreUnavailable, Unavailable
from jobs.job import Job
from jobs.ledger import bring_up_to_date

RENEW_SECONDS = HELD_SECONDS / 3
# Without the job store a request waits on, this long: its job goes on meanwhile, and who hears of
# the outage sends all of the media again.
OUTAGE_SECONDS = 90.0
_LOOK_SECONDS = 1.0  # between two looks whether the store is back

log = logging.getLogger(__name__)


class Holding:
    """One request's hold on its job, from the upload to the answer.

    Leaving it, in whatever way, lets the job go: if it is not over, and no other request holds it,
    it is canceled.
    """

    def __init__(self, services: Services, held: Held, *, client: socket.socket | None) -> None:
        """Hold a job.

        Args:
            services: of this process.
            held: what `submit_held` returned.
            client: `environ.get("gunicorn.socket")`, whose hanging up ends the wait.
        """
        self.job = held.job
        self._services = services
        self._token = held.token
        self._client = client
        self._renewed = time.monotonic()
        self._away_since: float | None = None  # monotonic second; None: the job store is there

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def wait(
        self, *, seconds: float, until: Callable[[Job], bool] = lambda job: job.status.is_final
    ) -> Job:
        """Return the job as soon as `until` holds, or as it was seen last after `seconds`.

        Raises:
            ClientGone: the client hung up.
            JobPurged: the job was deleted meanwhile.
            StoreUnavailable: Redis is away for OUTAGE_SECONDS.
        """
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            try:
                self.job = self._services.watcher.wait(
                    self.job.id, until, seconds=min(left, RENEW_SECONDS), client=self._client
                )
                self._renew()
                self._away_since = None
            except StoreUnavailable as error:
                self._sit_out(error, most_seconds=left)
            if until(self.job) or deadline <= time.monotonic():
                return self.job

    def _sit_out(self, error: StoreUnavailable, *, most_seconds: float) -> None:
        """Pause while the job store is away.

        Raises:
            ClientGone: the client hung up.
            StoreUnavailable: from OUTAGE_SECONDS on.
        """
        now = time.monotonic()
        self._away_since = self._away_since or now
        if now - self._away_since >= OUTAGE_SECONDS:
            raise error
        with hang_ups.watch(self._client) as gone:
            if gone.wait(max(0.0, min(_LOOK_SECONDS, most_seconds))):
                raise ClientGone

    def close(self) -> None:
        """Let the job go."""
        try:
            canceled = self._services.attachments.let_go(self.job.id, self._token)
        except Unavailable as error:
            # The token lapses by itself; the job then runs to its end for nobody.
            log.warning("not let go: %s", error, extra={"job_id": self.job.id})
            return
        if canceled is not None:
            log.info("its client hung up; canceled", extra={"job_id": canceled.id})
            bring_up_to_date(self._services.files, canceled, store=self._services.store)

    def _renew(self) -> None:
        if time.monotonic() - self._renewed >= RENEW_SECONDS:
            self._services.attachments.renew(self.job.id, self._token)
            self._renewed = time.monotonic()
