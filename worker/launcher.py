"""Start one process for each GPU, watch them, and start again what dies.

This process runs no job and loads no model, so that it is there when those that do are not.
"""

import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex

from jobs.attempt import SetbackCode
from worker.bereaved import Bereaved
from worker.gpus import Place
from worker.memory import rss_bytes
from worker.oom_kills import oom_kills
from worker.watching import PIPE, Watch

LOOK_SECONDS = 0.25
ASLEEP_SECONDS = 5.0  # between two looks: this process stood still
LAST_SECONDS = 15.0  # after DRAIN_SECONDS, until what has not ended is killed
STEADY_SECONDS = 60.0  # who lives so long is not in a loop of crashes
CANNOT_START = (2, os.EX_CONFIG)  # exit codes: the settings are wrong, the device is missing
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
    started_at: float = 0.0
    start_at: float = 0.0  # monotonic second of its next start
    deaths: int = 0  # in a row
    stalled: tuple[str, ...] = ()  # jobs for which it was killed
    killed_for: SetbackCode | None = None
    oom_kills: int = 0


class Launcher:
    """Supervises the processes that run jobs.

    Args:
        places: one process each.
        command: that starts one.
        worker_name: what the processes are called, with a number where there are several; None:
            by their place and the machine.
        bereaved: takes care of jobs.
        drain_seconds: that jobs have to end after SIGTERM.
        stall_seconds: without progress, after which a process is killed.
        most_memory_bytes: that a process may hold before it is killed; None: as much as there is.
        longest_pause_seconds: between the starts of a process that keeps dying.
    """

    def __init__(
        self,
        places: Sequence[Place],
        command: Sequence[str],
        *,
        worker_name: str | None,
        bereaved: Bereaved,
        drain_seconds: float,
        stall_seconds: float,
        most_memory_bytes: int | None = None,
        longest_pause_seconds: float = 60.0,
    ) -> None:
        self._command = list(command)
        self._bereaved = bereaved
        self._drain_seconds = drain_seconds
        self._stall_seconds = stall_seconds
        self._most_memory_bytes = most_memory_bytes
        self._longest_pause_seconds = longest_pause_seconds
        self._children = [
            Child(place=place, name=name)
            for place, name in zip(places, names(places, worker_name), strict=True)
        ]
        self._told_to_end = 0  # times
        self._passed_on = 0
        self._wake = threading.Event()
        self._exit_code = 0

    def run(self) -> int:
        """Keep the processes alive until told to end; return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        deadline: float | None = None
        looked_at = time.monotonic()
        while True:
            if time.monotonic() - looked_at > ASLEEP_SECONDS:
                self._wake_up()
            looked_at = time.monotonic()
            if self._told_to_end > self._passed_on:
                self._passed_on += 1
                self._pass_on()
                deadline = deadline or time.monotonic() + self._drain_seconds + LAST_SECONDS
            alive = [self._look_at(child) for child in self._children]
            if not any(alive) and (deadline is not None or self._nobody_will_start()):
                return self._exit_code
            if deadline is not None and time.monotonic() > deadline:
                self._kill_all()
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()

    def _end(self, *_: object) -> None:
        self._told_to_end += 1

    def _wake_up(self) -> None:
        """Give children time to speak: it was this process that stood still, perhaps with them."""
        for child in self._children:
            child.heard_at = None

    def _nobody_will_start(self) -> bool:
        return all(child.start_at == float("inf") for child in self._children)

    def _look_at(self, child: Child) -> bool:
        """Do what a child needs; return whether it is alive, or will be."""
        now = time.monotonic()
        if child.popen is None:
            if self._told_to_end or child.start_at == float("inf"):
                return False
            if now >= child.start_at:
                self._start(child)
            return True
        code = child.popen.poll()
        if code is not None:
            self._bury(child, code)
            return not self._told_to_end
        self._watch(child, now)
        return True

    def _start(self, child: Child) -> None:
        child.process = token_hex(8)
        ours, theirs = os.pipe()
        environment = {
            **os.environ,
            **child.place.variables,
            "WORKER_NAME": child.name,
            "WORKER_PROCESS": child.process,
            PIPE: str(theirs),
        }
        child.popen = _popen(self._command, environment, theirs)
        os.close(theirs)
        child.watch = Watch(ours)
        child.started_at, child.heard_at = time.monotonic(), None
        child.stalled, child.killed_for = (), None
        child.oom_kills = oom_kills()
        log.info("started %s, process %d", child.name, child.popen.pid)

    def _watch(self, child: Child, now: float) -> None:
        """Kill a process that makes no progress."""
        quiet = child.watch.hear() if child.watch else None
        if quiet is not None:
            child.heard_at = now
            child.stalled = tuple(
                job_id for job_id, seconds in quiet.items() if seconds >= self._stall_seconds
            )
        if child.popen is None or child.killed_for is not None:
            return
        if child.stalled:
            self._kill(child, SetbackCode.STALLED, f"no progress of {', '.join(child.stalled)}")
        elif child.heard_at is not None and now - child.heard_at > self._stall_seconds:
            self._kill(child, SetbackCode.CRASHED, "it says nothing any more")
        elif self._most_memory_bytes is not None:
            held = rss_bytes(child.popen.pid) or 0
            if held > self._most_memory_bytes:
                self._kill(child, SetbackCode.OUT_OF_MEMORY, f"it holds {held // 1024**2} MiB")

    def _kill(self, child: Child, reason: SetbackCode, why: str) -> None:
        log.error("%s is killed: %s", child.name, why)
        child.killed_for = reason
        if child.popen is not None:
            child.popen.kill()

    def _bury(self, child: Child, code: int) -> None:
        """Give a dead process' jobs to others, and say when it is started again."""
        is_new = time.monotonic() - child.started_at < STEADY_SECONDS
        child.deaths = child.deaths + 1 if is_new else 1
        pause = min(2.0 ** (child.deaths - 1), self._longest_pause_seconds)
        child.start_at = time.monotonic() + pause
        reason = child.killed_for
        if reason is None and code != 0:
            was_oom = code == -signal.SIGKILL and oom_kills() > child.oom_kills
            reason = SetbackCode.OUT_OF_MEMORY if was_oom else SetbackCode.CRASHED
        if code in CANNOT_START:
            child.start_at = float("inf")
            self._exit_code = code
        if not self._told_to_end:
            then = "never again" if code in CANNOT_START else f"again in {pause:.0f} s"
            log.error("%s ended (%s); it starts %s", child.name, _how(code), then)
        if child.watch is not None:
            child.watch.close()
        child.popen, child.watch = None, None
        self._bereaved.put_back(child.process, reason, culprits=child.stalled)

    def _pass_on(self) -> None:
        for child in self._children:
            if child.popen is not None:
                child.popen.terminate()

    def _kill_all(self) -> None:
        for child in self._children:
            if child.popen is not None:
                log.error("%s did not end in time; killed", child.name)
                child.popen.kill()


def names(places: Sequence[Place], worker_name: str | None) -> list[str]:
    """Return a name for the process at each place; Celery wants them unique."""
    wanted = [worker_name or f"{place.name}@{socket.gethostname()}" for place in places]
    taken: Counter[str] = Counter()
    found = []
    for name in wanted:
        taken[name] += 1
        first, at, host = name.partition("@")
        found.append(name if taken[name] == 1 else f"{first}-{taken[name]}{at}{host}")
    return found


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return f"signal {signal.Signals(-code).name}"


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
