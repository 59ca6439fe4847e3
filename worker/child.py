"""Keep account of one process that runs jobs: start it, end it, say how it ended."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex

from jobs.attempt import SetbackCode
from worker.gpus import Place
from worker.launched import Launched
from worker.oom_kills import oom_kills
from worker.watching import Watch

NEVER = float("inf")
_CANNOT_START = (2, os.EX_CONFIG)  # exit codes: the settings are wrong, the device is missing
_PR_SET_PDEATHSIG = 1  # linux/prctl.h: the signal a process gets when its parent dies

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Child:
    """One process that runs jobs, or the place of one that is to be started again."""

    place: Place
    name: str
    popen: "subprocess.Popen[bytes] | None" = None
    process: str = ""  # in leases
    watch: Watch | None = None
    heard_at: float | None = None  # monotonic; None: not yet
    start_at: float = 0.0  # monotonic second of its next start
    deaths: int = 0  # in a row, before it could work
    stalled: tuple[str, ...] = ()  # jobs for which it was killed
    killed_for: SetbackCode | None = None
    is_given_up: bool = False  # killed because it did not end in time; no job is to blame
    oom_kills: int = 0

    def start(self, command: Sequence[str], *, longest_pause_seconds: float) -> None:
        """Start the process; where the machine has no room for it, later."""
        self.process = token_hex(8)
        ours, theirs = os.pipe()
        environment = {
            **os.environ,
            **self.place.variables,
            **Launched(process=self.process, pipe=theirs).variables,
            "WORKER_NAME": self.name,
        }
        self.heard_at = None
        self.stalled, self.killed_for = (), None
        self.oom_kills = oom_kills()
        try:
            self.popen = _popen(command, environment, theirs)
        except (OSError, subprocess.SubprocessError) as error:
            os.close(ours)
            pause = self._pause(longest_pause_seconds)
            log.error("%s does not start (%s); again in %.0f s", self.name, error, pause)  # noqa: TRY400  # the traceback says nothing more
        else:
            self.watch = Watch(ours)
            log.info("started %s, process %d", self.name, self.popen.pid)
        finally:
            os.close(theirs)

    def kill(self, why: str) -> None:
        """End it as a crash would."""
        log.error("%s is killed: %s", self.name, why)
        if self.popen is not None:
            self.popen.kill()

    def blame(self, code: int) -> SetbackCode | None:
        """Return what its jobs suffered when it ended with a code; None: nothing they did."""
        if self.is_given_up or code == 0:
            return None
        if self.killed_for is None and code == -signal.SIGKILL and oom_kills() > self.oom_kills:
            return SetbackCode.OUT_OF_MEMORY
        return self.killed_for or SetbackCode.CRASHED

    def bury(self, code: int, *, longest_pause_seconds: float) -> str:
        """Settle when it is started again, and return that in words."""
        if self.watch is not None:
            self.watch.close()
        self.popen, self.watch = None, None
        if code in _CANNOT_START:
            self.start_at = NEVER
            return "never again: what it said above must be put right first"
        return f"again in {self._pause(longest_pause_seconds):.0f} s"

    def _pause(self, longest_seconds: float) -> float:
        # Who got as far as to speak had loaded its models: what it died of was a job, or a kill.
        self.deaths = self.deaths + 1 if self.heard_at is None else 1
        # The exponent is bounded as a float is: what dies for a day dies a thousand times.
        pause = min(2.0 ** min(self.deaths - 1, 16), longest_seconds)
        self.start_at = time.monotonic() + pause
        return pause


def how(code: int) -> str:
    """Say how a process ended."""
    if code >= 0:
        return f"exit code {code}"
    known = {each.value: each.name for each in signal.Signals}  # real-time signals have no names
    return f"signal {known.get(-code, str(-code))}"


def _popen(
    command: Sequence[str], environment: Mapping[str, str], pipe: int
) -> "subprocess.Popen[bytes]":
    """Start a process that is told to end when this one is gone, however it went."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None

    def ask_kernel() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return subprocess.Popen(  # noqa: S603  # of our own programs
        list(command),
        env=dict(environment),
        pass_fds=(pipe,),
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C at the terminal reaches it through us, once
        preexec_fn=ask_kernel,
    )
