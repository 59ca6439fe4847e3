"""Do one stage of jobs that other processes run."""

import logging
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from jobs.errors import HandedBack, OutOfMemory, ServiceError, Unavailable
from jobs.stage_call import StageCall
from jobs.stage_calls import StageCalls, StageNews
from jobs.stage_files import StageFiles
from jobs.stages import Stage
from pipeline.awaiting import awaited
from pipeline.progress import OnProgress
from pipeline.stage_work import StageDone, StageWork
from pipeline.waveform import Waveform
from worker.activity import Activity
from worker.drain import Drain
from worker.patience import patiently

PULSE_SECONDS = 1.0
FORSAKEN_PULSES = 5  # in a row that found no run; one that ends says so

log = logging.getLogger(__name__)


class NotWanted(ServiceError):
    """The run that asked for a stage is over."""

    code = "not_wanted"


class RunStage(Protocol):
    """The pipeline, or what stands in for it in tests of everything else."""

    def __call__(
        self, work: StageWork, waveforms: Sequence[Waveform], on_progress: OnProgress
    ) -> StageDone:
        """Do one stage."""


class StageServer:
    """Does what is asked for, a call each; threads may share it.

    Args:
        calls: know who does what.
        files: carry sound and words.
        run_stage: does it.
        activity: is told what is in work.
        drain: of this process.
        process: this one, of all that ever ran.
        work_dir: for the sound.
    """

    def __init__(
        self,
        *,
        calls: StageCalls,
        files: StageFiles,
        run_stage: RunStage,
        activity: Activity,
        drain: Drain,
        process: str,
        work_dir: Path,
    ) -> None:
        self._calls = calls
        self._files = files
        self._run_stage = run_stage
        self._activity = activity
        self._drain = drain
        self._process = process
        self._work_dir = work_dir
        self._pulses: dict[StageCall, Pulse] = {}

    def serve(self, call: StageCall) -> None:
        """Do a stage, if it is still wanted and nobody else does it.

        Raises:
            Unavailable: Redis is away and the call could not be taken; it is sent again.
        """
        if self._drain.has_begun:
            self._let_go(call, StageNews.RELEASED)
            return
        if not self._calls.take(call, self._process):
            log.info("nothing to do: over, or in other hands", extra={"job_id": call.job_id})
            return
        with (
            self._activity.of(call.job_id),
            Pulse(self._calls, call, self._process, self._drain, self._activity) as pulse,
        ):
            self._pulses[call] = pulse
            try:
                news = self._attempt(call, pulse)
            finally:
                del self._pulses[call]
        self._let_go(call, news)

    def release(self) -> None:
        """Give back all that is in work, as this process ends."""
        for call in tuple(self._pulses):
            self._let_go(call, StageNews.RELEASED)

    def _attempt(self, call: StageCall, pulse: "Pulse") -> StageNews:
        """Return what the run is to hear."""
        try:
            done = self._done(call, pulse)
            patiently(lambda: self._files.put_done(call, done), pulse.wait_on)
            pulse.check()
        except NotWanted:
            log.info("stage %s given up: not wanted", call.role, extra={"job_id": call.job_id})
            self._drop_done(call)
            return StageNews.FAILED
        except HandedBack:
            log.info("stage %s handed back", call.role, extra={"job_id": call.job_id})
            return StageNews.RELEASED
        except Unavailable as error:
            log.warning("stage %s: %s", call.role, error, extra={"job_id": call.job_id})
            return StageNews.FAILED
        log.info("stage %s done", call.role, extra={"job_id": call.job_id})
        return StageNews.DONE

    def _drop_done(self, call: StageCall) -> None:
        """Take back what was stored after the run had cleared up."""
        try:
            self._files.drop_done(call)
        except Unavailable as error:
            log.warning("left to the housekeeper: %s", error, extra={"job_id": call.job_id})

    def _done(self, call: StageCall, pulse: "Pulse") -> bytes:
        try:
            with tempfile.TemporaryDirectory(prefix="stage-", dir=self._work_dir) as folder:
                asked = patiently(lambda: self._files.work(call), pulse.wait_on)
                if asked is None:
                    msg = "its files are gone, so its attempt is over"
                    raise NotWanted(msg)
                work = StageWork.model_validate_json(asked)
                sounds = self._sounds(call, Path(folder), pulse)
                done = self._run_stage(work, sounds, pulse)
        except OutOfMemory as error:
            log.warning("stage %s: %s", call.role, error, extra={"job_id": call.job_id})
            done = StageDone(is_out_of_memory=True)
        except ServiceError:
            raise
        except Exception:
            log.exception("stage %s failed", call.role, extra={"job_id": call.job_id})
            done = StageDone(failure="a fault of this service; its log says more")
        return done.model_dump_json().encode()

    def _sounds(self, call: StageCall, folder: Path, pulse: "Pulse") -> list[Waveform]:
        def fetch() -> list[Path]:
            return self._files.fetch_sounds(call, folder, on_bytes=lambda _: pulse.check())

        def fetched() -> list[Path]:
            return awaited(fetch, pulse.check, name="stage-sound")

        return [
            np.memmap(file, dtype=np.float32, mode="r")
            for file in patiently(fetched, pulse.wait_on)
        ]

    def _let_go(self, call: StageCall, news: StageNews) -> None:
        try:
            self._calls.let_go(call, self._process, news)
        except Unavailable as error:
            # The run looks for what is done by itself, once it hears no pulse any more.
            log.warning("stage not let go: %s", error, extra={"job_id": call.job_id})


class Pulse:
    """Says every second that a call is in work, and hears whether it is still wanted."""

    def __init__(
        self, calls: StageCalls, call: StageCall, process: str, drain: Drain, activity: Activity
    ) -> None:
        self._calls = calls
        self._call = call
        self._process = process
        self._drain = drain
        self._activity = activity
        self._fraction = 0.0
        self._is_wanted = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"pulse-{call.id}", daemon=True)

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

    def __call__(self, stage: Stage, fraction: float) -> None:
        """Take note that `fraction` (0 to 1) of the stage is done.

        Raises:
            NotWanted: the run is over.
            HandedBack: this process has to end.
        """
        self._fraction = float(fraction)  # numpy's own would not be read again
        self._activity.note(self._call.job_id, stage, fraction)
        self.check()

    def check(self) -> None:
        """Raise where the stage is not to be gone on with."""
        self._drain.check()
        if not self._is_wanted:
            msg = "the run that asked for it is over"
            raise NotWanted(msg)

    def wait_on(self) -> None:
        """Go on while a store is away, which is no standstill."""
        self._activity.excuse(self._call.job_id)
        self.check()

    def _beat(self) -> None:
        silent = 0  # pulses in a row
        while not self._stop.wait(PULSE_SECONDS):
            try:
                wanted = self._calls.pulse(self._call, self._process, self._fraction)
            except Unavailable:
                silent = 0
                continue
            silent = silent + 1 if wanted is None else 0
            if wanted is False or silent >= FORSAKEN_PULSES:
                self._is_wanted = False
                return
