"""Follow one stage that another process does, and send it again where that process dies."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass

from jobs.errors import Unavailable
from jobs.queue import JobQueue
from jobs.stage_call import StageCall
from jobs.stage_calls import StageCalls, StageNews
from jobs.stage_files import StageFiles
from jobs.workers import WorkerRegistry
from pipeline.awaiting import TELL_SECONDS, NobodyWaits
from pipeline.stage_work import StageDone
from pipeline.stages_elsewhere import StageFailed

MOST_SENDS = 3
_LOOK_SECONDS = 1.0  # between two looks at who does it; news come at once
_ASK_SECONDS = 10.0  # between two looks at who could, which go through all keys of Redis

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowTimes:
    """How long is waited, in seconds."""

    # Without a pulse, on top of the ten seconds for which the last one holds: the process died.
    gone: float = 5.0
    # From sending a message that is in no queue until somebody has it: it is lost.
    lost: float = 5.0
    # Until a process that serves the stage is there: as long as one needs to start.
    unserved: float = 120.0


class Following:
    """One stage on its way to, or at, another process.

    Args:
        call: which.
        prepare: stores what that process needs; what it raises ends all of this.
        calls: know who does what.
        files: carry what comes of it.
        queue: carries the message.
        workers: know which stages somebody serves.
        times: how long is waited for what.
        excuse: called while somebody waits for `done`.
        is_over: set when the attempt is.
    """

    def __init__(
        self,
        call: StageCall,
        prepare: Callable[[], None],
        *,
        calls: StageCalls,
        files: StageFiles,
        queue: JobQueue,
        workers: WorkerRegistry,
        times: FollowTimes,
        excuse: Callable[[], None],
        is_over: threading.Event,
    ) -> None:
        self._call = call
        self._prepare = prepare
        self._calls = calls
        self._files = files
        self._queue = queue
        self._workers = workers
        self._times = times
        self._excuse = excuse
        self._is_over = is_over
        self._found: Future[StageDone] = Future()
        self._fraction = 0.0
        self._sends = 0
        self._is_taken = False
        self._is_store_away = False
        # Monotonic seconds: since when nobody has it, since when nobody could, when that is asked.
        self._nobody_since = self._unserved_since = time.monotonic()
        self._ask_again = 0.0

    def start(self) -> None:
        """Send it, in the background."""
        threading.Thread(target=self._run, name=f"stage-{self._call.id}", daemon=True).start()

    def done(self, tell: Callable[[float], None]) -> StageDone:
        """Wait for what comes of it.

        Raises:
            StageFailed: nobody did it, or who did it died, too often.
        """
        while not wait([self._found], timeout=TELL_SECONDS).done:
            # Who does it is watched by a launcher of its own, and who is gone is noticed here.
            self._excuse()
            tell(self._fraction)
        return self._found.result()

    def withdraw(self) -> None:
        """Tell whoever does it, or would, that nobody waits."""
        with suppress(Unavailable):  # then it is noticed by the silence of this process
            self._calls.refuse(self._call)
            if not self._is_taken:
                self._queue.withdraw_stage(self._call)

    def _run(self) -> None:
        try:
            self._prepare()
            self._found.set_result(self._follow())
        except BaseException as error:  # noqa: BLE001  # raised where it is waited for
            self._found.set_exception(error)

    def _follow(self) -> StageDone:
        must_send = True
        while not self._is_over.is_set():
            try:
                self._calls.want(self._call)
                if must_send:
                    self._send()
                    must_send = False
                news = self._calls.news(self._call, seconds=_LOOK_SECONDS)
                self._is_store_away = False
                must_send = news in (StageNews.RELEASED, StageNews.FAILED) or self._is_lost()
                if news is StageNews.DONE or must_send:
                    # Looked for before it is sent again too: the news may be what was lost.
                    found = self._files.done(self._call)
                    if found is not None:
                        return self._ended(found)
                if must_send and news is not StageNews.RELEASED:
                    self._count()
            except Unavailable as error:
                if not self._is_store_away:  # said once, not with every step
                    log.warning("not followed: %s", error, extra={"job_id": self._call.job_id})
                self._is_store_away = True
                self._nobody_since = self._unserved_since = time.monotonic()
                self._is_over.wait(_LOOK_SECONDS)
        raise NobodyWaits

    def _send(self) -> None:
        self._queue.send_stage(self._call)
        self._is_taken = False
        self._nobody_since = time.monotonic()

    def _count(self) -> None:
        self._sends += 1
        log.warning(
            "stage %s: its process died or could not do it, or its message is lost (%d)",
            self._call.role,
            self._sends,
            extra={"job_id": self._call.job_id},
        )
        if self._sends >= MOST_SENDS:
            msg = f"the process that does it died, or could not, {self._sends} times"
            raise StageFailed(msg)

    def _is_lost(self) -> bool:
        """Whether nobody does it, and nobody will."""
        now = time.monotonic()
        taken = self._calls.taken(self._call)
        if taken is not None:
            self._is_taken = True
            self._fraction = max(self._fraction, taken.fraction)
            self._nobody_since = self._unserved_since = now
            return False
        if self._is_taken:
            return now - self._nobody_since > self._times.gone
        self._must_be_served(now)
        return (
            now - self._nobody_since > self._times.lost
            and self._call.id not in self._queue.waiting_ids(self._call.role)
        )

    def _must_be_served(self, now: float) -> None:
        if now < self._ask_again:
            return
        self._ask_again = now + min(_ASK_SECONDS, self._times.unserved / 2)
        if any(worker.stage is self._call.role for worker in self._workers.alive()):
            self._unserved_since = now
        elif now - self._unserved_since > self._times.unserved:
            msg = f"no process serves the stage {self._call.role}; see STAGE_REPLICAS"
            raise StageFailed(msg)

    def _ended(self, found: bytes) -> StageDone:
        with suppress(Unavailable):
            self._calls.refuse(self._call)  # a second message finds nothing to do
        return StageDone.model_validate_json(found)
