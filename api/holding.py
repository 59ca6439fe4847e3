"""Hold a job for as long as a request waits for it, and let it end when nobody does."""

import logging
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from api.services import Services
from api.submission import Held
from jobs.attachments import HELD_SECONDS
from jobs.errors import Unavailable
from jobs.job import Job
from jobs.ledger import bring_up_to_date

RENEW_SECONDS = HELD_SECONDS / 3

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
        """Return the job as soon as `until` holds, or as it is after `seconds`.

        Raises:
            ClientGone: the client hung up.
            JobPurged: the job was deleted meanwhile.
            StoreUnavailable: Redis is away.
        """
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            self.job = self._services.watcher.wait(
                self.job.id, until, seconds=min(left, RENEW_SECONDS), client=self._client
            )
            self._renew()
            if until(self.job) or deadline <= time.monotonic():
                return self.job

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
            bring_up_to_date(self._services.files, canceled)

    def _renew(self) -> None:
        if time.monotonic() - self._renewed >= RENEW_SECONDS:
            self._services.attachments.renew(self.job.id, self._token)
            self._renewed = time.monotonic()
