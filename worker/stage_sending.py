"""Have the stages of an attempt done by other processes, and clear up behind it."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from jobs.errors import Unavailable
from jobs.queue import JobQueue
from jobs.stage_call import StageCall, StageRole
from jobs.stage_calls import StageCalls
from jobs.stage_files import StageFiles
from jobs.stage_leftovers import StageLeftovers
from jobs.stages import Stage
from jobs.workers import WorkerRegistry
from pipeline.awaiting import NobodyWaits
from pipeline.stage_work import StageWork
from pipeline.waveform import Waveform
from worker.patience import patiently
from worker.stage_following import Following, FollowTimes

log = logging.getLogger(__name__)

_ROLE = {Stage.ALIGN: StageRole.ALIGN, Stage.DIARIZE: StageRole.DIARIZE}


class _IsOver(Exception):
    """Ends a transfer; of what is no Exception, boto3 would wait for ever."""


class StageSender:
    """Whoever runs jobs asks for their stages here.

    Args:
        files: carry sound and words.
        calls: know who does what.
        queue: carries messages.
        workers: know which stages somebody serves.
        leftovers: see to what is not cleared up here.
        times: how long is waited for what.
    """

    def __init__(
        self,
        *,
        files: StageFiles,
        calls: StageCalls,
        queue: JobQueue,
        workers: WorkerRegistry,
        leftovers: StageLeftovers,
        times: FollowTimes | None = None,
    ) -> None:
        self.files = files
        self.calls = calls
        self.queue = queue
        self.workers = workers
        self._leftovers = leftovers
        self.times = times or FollowTimes()

    @contextmanager
    def of(
        self, job_id: str, attempt: str, *, excuse: Callable[[], None]
    ) -> Iterator["SentStages"]:
        """Have stages of an attempt done; with the block, they and their files are over.

        Args:
            job_id: whose.
            attempt: the token of its lease.
            excuse: called while the run waits for others, which is no standstill of its own.
        """
        stages = SentStages(self, job_id, attempt, excuse)
        self._leave(lambda: self._end_others(job_id, attempt))
        self._leave(lambda: self._leftovers.expect(job_id, attempt))
        try:
            yield stages
        finally:
            stages.end()
            # Looked after once more some minutes from now: what is stored at this moment by a
            # process that does not know yet would stay for good.
            self._leave(lambda: self._leftovers.expect(job_id, attempt))
            self._leave(lambda: self.files.clear(job_id, attempt))

    def _end_others(self, job_id: str, attempt: str) -> None:
        """End what an attempt left whose process was killed: it has processes in work in vain."""
        for other in self.files.clear_others(job_id, attempt):
            for role in _ROLE.values():
                self.calls.refuse(StageCall(job_id=job_id, attempt=other, role=role))

    @staticmethod
    def _leave(clear: Callable[[], None]) -> None:
        try:
            clear()
        except Unavailable as error:
            log.warning("files of stages are left to the housekeeper: %s", error)


class SentStages:
    """The stages of one attempt; what `pipeline.stages_elsewhere` calls elsewhere."""

    def __init__(
        self, sender: StageSender, job_id: str, attempt: str, excuse: Callable[[], None]
    ) -> None:
        self._sender = sender
        self._job_id = job_id
        self._attempt = attempt
        self._excuse = excuse
        self._begun: list[Following] = []
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._sound = threading.Lock()
        self._has_sound = False

    def begin(self, work: StageWork, waveforms: Sequence[Waveform]) -> Following:
        """Have a stage done; returns at once.

        Raises:
            NobodyWaits: the attempt is over.
        """
        call = StageCall(job_id=self._job_id, attempt=self._attempt, role=_ROLE[work.stage])

        def prepare() -> None:
            self._store_sound(waveforms)
            content = work.model_dump_json().encode()
            patiently(lambda: self._sender.files.put_work(call, content), self._go_on)

        following = Following(
            call,
            prepare,
            calls=self._sender.calls,
            files=self._sender.files,
            queue=self._sender.queue,
            workers=self._sender.workers,
            times=self._sender.times,
            excuse=self._excuse,
            is_over=self._is_over,
        )
        with self._lock:
            self._go_on()
            self._begun.append(following)
        following.start()
        return following

    def end(self) -> None:
        """Tell all who do a stage of this attempt that nobody waits for it."""
        with self._lock:
            self._is_over.set()
        for following in self._begun:
            following.withdraw()

    def _go_on(self) -> None:
        if self._is_over.is_set():
            raise NobodyWaits

    def _send_on(self, _: int) -> None:
        if self._is_over.is_set():
            raise _IsOver

    def _store_sound(self, waveforms: Sequence[Waveform]) -> None:
        """Store the sound before the first stage that needs it; the others find it there."""
        with self._sound:
            if self._has_sound:
                return
            for channel, waveform in enumerate(waveforms):
                self._store(channel, _file_of(waveform))
            self._has_sound = True

    def _store(self, channel: int, source: Path) -> None:
        def put() -> None:
            self._sender.files.put_sound(
                self._job_id,
                self._attempt,
                channel,
                source,
                on_bytes=self._send_on,
            )

        patiently(put, self._go_on)


def _file_of(waveform: Waveform) -> Path:
    """Return the file that a decoded waveform is a map of; it is stored as it lies there."""
    if not isinstance(waveform, np.memmap) or waveform.filename is None:
        msg = "only what was decoded to a file is sent"
        raise TypeError(msg)
    return Path(waveform.filename)
