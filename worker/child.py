"""Keep account of one process that runs jobs: start it, end it, say how it ended."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_hex

from jobs.attempt import SetbackCode
from worker.gpus import Place
from worker.launched import Launched
from worker.oom_kills import oom_kills
from worker.restarts import HEALTHY_SECONDS, Restarts
from worker.said import Said
from worker.watching import Watch

NEVER = float("inf")
# Exit codes: the settings are wrong, the device is missing. No start puts that right, nor does a
# GPU that fell off the bus come back without a reset.
_CANNOT_START = (2, os.EX_CONFIG)
# What lacks something that will come back, as a model's server, does not speak against its GPU.
_NO_DEATHS = (0, os.EX_TEMPFAIL)
_PR_SET_PDEATHSIG = 1  # linux/prctl.h: the signal a process gets when its parent dies

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Child:
    """One process that runs jobs, or the place of one that is to be started again."""

    place: Place
    name: str
    restarts: Restarts
    popen: "subprocess.Popen[bytes] | None" = None
    process: str = ""  # in leases
    watch: Watch | None = None
    said: Said | None = None
    heard_at: float | None = None  # monotonic; None: not yet, its models are not loaded
    worked_at: float | None = None  # monotonic, when it was first heard
    jobs: frozenset[str] = frozenset()  # in work when it was last heard
    start_at: float = 0.0  # monotonic second of its next start
    since: datetime = field(default_factory=lambda: datetime.now(UTC))  # that it runs, or does not
    reason: str | None = None  # how the last process ended
    stalled: tuple[str, ...] = ()  # jobs for which it was killed
    killed_for: SetbackCode | None = None
    is_given_up: bool = False  # killed because it did not end in time; no job is to blame
    oom_kills: int = 0

    def start(self, command: Sequence[str]) -> None:
        """Start the process; where the machine has no room for it, later."""
        self.process = token_hex(8)
        ours, theirs = os.pipe()
        said = Said()
        environment = {
            **os.environ,
            **self.place.variables,
            **Launched(process=self.process, pipe=theirs).variables,
            "WORKER_NAME": self.name,
        }
        self.heard_at, self.worked_at, self.jobs = None, None, frozenset()
        self.stalled, self.killed_for = (), None
        self.oom_kills = oom_kills()
        self.since = datetime.now(UTC)
        try:
            self.popen = _popen(command, environment, theirs, said)
        except (OSError, subprocess.SubprocessError) as error:
            os.close(ours)
            said.close()
            self.reason = "the machine could not start it"
            self.restarts.deaths += 1  # for the pause; it is not the GPU's fault
            pause = self._pause()
            log.error("%s does not start (%s); again in %.0f s", self.name, error, pause)  # noqa: TRY400  # the traceback says nothing more
        else:
            self.watch, self.said = Watch(ours), said
            log.info("started %s, process %d", self.name, self.popen.pid)
        finally:
            os.close(theirs)
            os.close(said.theirs)

    def hear(self) -> dict[str, float] | None:
        """Pass on what it writes; return the jobs it has in work, and since when without progress.

        None: it said nothing new.
        """
        if self.said is not None:
            self.said.hear()
        quiet = self.watch.hear() if self.watch else None
        if quiet is None:
            return None
        now = time.monotonic()
        self.heard_at = now
        self.worked_at = self.worked_at or now
        if self.jobs - quiet.keys() or now - self.worked_at > HEALTHY_SECONDS:
            self.restarts.forget()
        self.jobs = frozenset(quiet)
        return quiet

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

    def bury(self, code: int, jobs: Set[str] = frozenset()) -> str:
        """Settle when it is started again, and return that in words.

        Args:
            code: its exit code, or the negative number of the signal that ended it.
            jobs: ids of those that it left.
        """
        said = self._close()
        self.popen, self.reason, self.since = None, how(code), datetime.now(UTC)
        if code in _CANNOT_START:
            self.start_at = NEVER
            self.reason = f"its settings are wrong or its device is missing ({how(code)})"
            return f"never again: what it said must be put right first\n{said}"
        if code not in _NO_DEATHS and not self._lacked_memory(code, jobs):
            self.restarts.count(jobs)
        if self.restarts.are_over:
            self.start_at = NEVER
            self.reason = f"it died {self.restarts.deaths} times in a row, last by {how(code)}"
            return f"never again: {self.reason}; its last words were\n{said}"
        return f"again in {self._pause():.0f} s"

    def _lacked_memory(self, code: int, jobs: Set[str]) -> bool:
        """Whether its jobs were too large for the machine; one without any does not fit itself."""
        if self.killed_for is SetbackCode.OUT_OF_MEMORY:
            return True
        return bool(jobs) and self.blame(code) is SetbackCode.OUT_OF_MEMORY

    def _close(self) -> str:
        """Hear the last of the process; return the last lines that it wrote."""
        words = ""
        if self.said is not None:
            self.said.hear()
            words = self.said.last_words()
            self.said.close()
        if self.watch is not None:
            self.watch.close()
        self.said, self.watch = None, None
        return words

    def _pause(self) -> float:
        pause = self.restarts.pause()
        self.start_at = time.monotonic() + pause
        return pause


def how(code: int) -> str:
    """Say how a process ended."""
    if code >= 0:
        return f"exit code {code}"
    known = {each.value: each.name for each in signal.Signals}  # real-time signals have no names
    return f"signal {known.get(-code, str(-code))}"


def _popen(
    command: Sequence[str], environment: Mapping[str, str], pipe: int, said: Said
) -> "subprocess.Popen[bytes]":
    """Start a process that is told to end when this one is gone, however it went."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None

    def ask_kernel() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return subprocess.Popen(  # noqa: S603  # of our own programs
        list(command),
        env=dict(environment),
        pass_fds=(pipe, *said.descriptors),
        stdin=subprocess.DEVNULL,
        stderr=said.theirs,
        start_new_session=True,  # a Ctrl-C at the terminal reaches it through us, once
        preexec_fn=ask_kernel,
    )
