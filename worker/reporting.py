"""Turn the pipeline's progress into the record's, and a cancel into the end of the run."""

import logging
import time
from collections.abc import Callable

from jobs.attempt import StageSeconds
from jobs.errors import StoreUnavailable
from jobs.heard import Heard, HeardSegment
from jobs.stages import Stage
from jobs.store import JobStore
from pipeline.progress import HeardText
from worker.activity import Activity
from worker.drain import Drain
from worker.heartbeat import Heartbeat
from worker.patience import patiently

WRITE_SECONDS = 0.5  # at most two writes per second and job
PAUSE_SECONDS = 5.0  # after a write that failed: each one holds up the pipeline for a timeout

log = logging.getLogger(__name__)


class ProgressReporter:
    """Writes the progress of one attempt; raises when the attempt is void.

    Every write goes through the job's moves, so a canceled, deleted or lost job makes the next
    one raise (IllegalMove, JobPurged, LeaseLost), which unwinds the pipeline and frees the worker.
    """

    def __init__(
        self,
        store: JobStore,
        heartbeat: Heartbeat,
        drain: Drain,
        activity: Activity,
        job_id: str,
        token: str,
    ) -> None:
        self._store = store
        self._heartbeat = heartbeat
        self._drain = drain
        self._activity = activity
        self._job_id = job_id
        self._token = token
        self._next_write = 0.0  # monotonic second
        self._is_store_away = False
        self._seconds: dict[Stage, float] = {}
        self._stage: Stage | None = None
        self._fraction = 0.0
        self._since = time.monotonic()

    def __call__(self, stage: Stage, fraction: float) -> None:
        """Take note that `fraction` (0 to 1) of a stage is done."""
        now = time.monotonic()
        if stage is not self._stage:
            self._turn_to(stage, now)
        self._fraction = fraction
        self._activity.note(self._job_id, stage, fraction)
        self._heartbeat.check()
        self._drain.check()
        if now >= self._next_write:
            self._write(stage, fraction)

    def go_on(self) -> None:
        """Say once more where the job is; what makes no progress asks so whether to go on."""
        if self._stage is not None:
            self(self._stage, self._fraction)

    def wait_on(self) -> None:
        """Go on as `go_on` does, while a store is away: that is no fault of the job's."""
        self._activity.excuse(self._job_id)
        self.go_on()

    def _write(self, stage: Stage, fraction: float) -> None:
        pause_seconds = WRITE_SECONDS
        try:
            self._store.update(
                self._job_id, lambda job: job.progressed(self._token, stage, fraction)
            )
        except StoreUnavailable as error:
            # Losing a percentage is no reason to lose the job.
            if not self._is_store_away:  # said once, not with every step
                log.warning("progress not written: %s", error, extra={"job_id": self._job_id})
            self._is_store_away = True
            pause_seconds = PAUSE_SECONDS
        else:
            if self._is_store_away:
                log.warning("progress is written again", extra={"job_id": self._job_id})
            self._is_store_away = False
        self._next_write = time.monotonic() + pause_seconds

    @property
    def stage(self) -> Stage | None:
        """The stage that works at this moment."""
        return self._stage

    def decoded(self, seconds: float, codec: str) -> None:
        """Take note of the length of the media and its audio codec; waits for the job store."""
        patiently(
            lambda: self._store.update(
                self._job_id,
                lambda job: job.measured(self._token, seconds=seconds, codec=codec),
            ),
            self.wait_on,
        )

    def stages(self) -> tuple[StageSeconds, ...]:
        """Return how long each stage took so far."""
        self._turn_to(self._stage, time.monotonic())
        return tuple(
            StageSeconds(name=stage, seconds=round(seconds, 3))
            for stage, seconds in self._seconds.items()
        )

    def _turn_to(self, stage: Stage | None, now: float) -> None:
        if self._stage is not None:
            spent = self._seconds.get(self._stage, 0.0)
            self._seconds[self._stage] = spent + now - self._since
        self._stage, self._since = stage, now


class HeardReporter:
    """Passes on what is recognised while the job runs, for those who watch."""

    def __init__(self, heard: Heard, job_id: str, attempt: int) -> None:
        self._heard = heard
        self._job_id = job_id
        self._attempt = attempt
        self._next_try = 0.0  # monotonic second

    def begin(self) -> None:
        """Forget what an earlier attempt heard, before anybody reads it for this one's."""
        self._try(lambda: self._heard.clear(self._job_id))

    def __call__(self, heard: HeardText) -> None:
        """Pass on the next stretch of text."""
        segment = HeardSegment(
            attempt=self._attempt, start=heard.start, end=heard.end, text=heard.text
        )
        self._try(lambda: self._heard.add(self._job_id, segment))

    def _try(self, write: Callable[[], None]) -> None:
        if time.monotonic() < self._next_try:
            return
        try:
            write()
        except StoreUnavailable as error:
            # The transcript will have it; who watches misses a line.
            log.warning("not passed on: %s", error, extra={"job_id": self._job_id})
            self._next_try = time.monotonic() + PAUSE_SECONDS
