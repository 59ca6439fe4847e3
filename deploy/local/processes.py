"""Start programs, remember their ids on disk, and stop exactly those again."""

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1  # linux/prctl.h: the signal a process gets when its parent dies
_CLOCK_TICK = 0.05  # seconds; what two readings of one birth may differ by


# Those of this very process, which it must wait for; others are found by their id.
_CHILDREN: dict[int, psutil.Popen] = {}


class ProcessDied(RuntimeError):
    """A program ended before it was ready; the end of its log is in the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A program that was started, found again by its id and the moment it began."""

    name: str
    pid: int
    born: float  # seconds since the epoch; tells it from a later process with the same id
    log: Path
    log_start: int = 0  # bytes that an earlier run left in the log

    def is_alive(self) -> bool:
        """Whether this very process still runs; a child of ours that ended is cleared away."""
        found = self._find()
        if found is None or self.pid in _CHILDREN:
            # A child counts until it can be reaped: its first thread may be a zombie while others
            # still hold its sockets, and what is sent to those is lost.
            return found is not None
        return found.status() != psutil.STATUS_ZOMBIE

    def stop(self, *, within_seconds: float = 20.0) -> None:
        """Ask it to end, then make it."""
        found = self._find()
        if found is None:
            return
        try:
            found.terminate()
            found.wait(within_seconds)
        except psutil.TimeoutExpired:
            found.kill()
            found.wait(5)
        except psutil.NoSuchProcess:
            return  # it was quicker

    def kill(self) -> None:
        """End it as a crash would."""
        found = self._find()
        if found is not None:
            found.kill()
            found.wait(5)

    def _find(self) -> psutil.Process | None:
        """Return the process; None if it is gone, even if its id is somebody else's by now."""
        child = _CHILDREN.get(self.pid)
        if child is not None:
            return child if child.poll() is None else None
        try:
            found = psutil.Process(self.pid)
        except psutil.NoSuchProcess:
            return None
        return found if abs(found.create_time() - self.born) < _CLOCK_TICK else None

    def last_words(self) -> str:
        """Return the end of what it wrote to its log."""
        written = self.log.read_bytes()[self.log_start :] if self.log.exists() else b""
        text = written.decode(errors="replace")
        return "\n".join(text.splitlines()[-15:])


def start(
    name: str,
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    logs: Path,
    directory: Path,
    outlives_us: bool,
) -> Process:
    """Start a program with its output in `logs`/<name>.log.

    Args:
        name: what people call it.
        command: the program and its arguments.
        environment: all of its variables.
        logs: folder for the log.
        directory: where it runs.
        outlives_us: False: it dies with this process, however this one dies.
    """
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{name}.log"
    log.touch(mode=0o600)
    with log.open("ab") as output:
        log_start = output.tell()
        # Its own session keeps a Ctrl-C at the terminal from reaching it before we stop it.
        child = psutil.Popen(
            list(command),
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,  # recordings are nobody else's business
            preexec_fn=None if outlives_us else _die_with_parent(),
        )
    _CHILDREN[child.pid] = child
    return Process(name=name, pid=child.pid, born=child.create_time(), log=log, log_start=log_start)


def wait_until(ready: Callable[[], bool], process: Process, *, within_seconds: float) -> None:
    """Return once a program is ready.

    Raises:
        ProcessDied: it ended, or was not ready in time.
    """
    deadline = time.monotonic() + within_seconds
    while not ready():
        if not process.is_alive() or time.monotonic() > deadline:
            how = "was not ready in time" if process.is_alive() else "ended"
            msg = f"{process.name} {how}; its log {process.log} ends:\n{process.last_words()}"
            raise ProcessDied(msg)
        time.sleep(0.05)


def _die_with_parent() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return ask_kernel
