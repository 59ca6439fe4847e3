"""Start one process for each GPU, watch them, and start again what dies.

This process runs no job and loads no model, so that it is there when those that do are not.
"""

import logging
import signal
import socket
import time
from collections import Counter
from collections.abc import Sequence

from jobs.attempt import SetbackCode
from worker.bereaved import Bereaved
from worker.child import NEVER, Child, how
from worker.gpus import Place
from worker.memory import rss_bytes
from worker.notices import Notices
from worker.restarts import Restarts

LOOK_SECONDS = 0.25
ASLEEP_SECONDS = 5.0  # between two looks: this process stood still
LAST_SECONDS = 15.0  # after DRAIN_SECONDS, until what has not ended is killed

log = logging.getLogger(__name__)


class Launcher:
    """Supervises the processes that run jobs.

    Args:
        places: one process each.
        command: that starts one.
        worker_name: what the processes are called, with a number where there are several; None:
            by their place and the machine.
        bereaved: takes care of jobs.
        notices: tell of the processes that do not run.
        drain_seconds: that jobs have to end after SIGTERM.
        stall_seconds: without progress, after which a process is killed.
        most_memory_bytes: that a process may hold before it is killed; None: as much as there is.
        give_up_after: deaths in a row, after which a process is not started again; 0: it always is.
        longest_pause_seconds: between the starts of a process that keeps dying.
    """

    def __init__(
        self,
        places: Sequence[Place],
        command: Sequence[str],
        *,
        worker_name: str | None,
        bereaved: Bereaved,
        notices: Notices,
        drain_seconds: float,
        stall_seconds: float,
        most_memory_bytes: int | None = None,
        give_up_after: int = 8,
        longest_pause_seconds: float = 60.0,
    ) -> None:
        self._command = list(command)
        self._bereaved = bereaved
        self._notices = notices
        self._drain_seconds = drain_seconds
        self._stall_seconds = stall_seconds
        self._most_memory_bytes = most_memory_bytes
        self._children = [
            Child(
                place=place,
                name=name,
                restarts=Restarts(
                    give_up_after=give_up_after, longest_pause_seconds=longest_pause_seconds
                ),
            )
            for place, name in zip(places, names(places, worker_name), strict=True)
        ]
        self._told_to_end = 0  # times
        self._passed_on = 0
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
            code = self._outcome(is_any_alive=any(alive), is_ending=deadline is not None)
            if code is not None:
                return code
            if deadline is not None and time.monotonic() > deadline:
                self._kill_all()
            time.sleep(LOOK_SECONDS)

    def _end(self, *_: object) -> None:
        self._told_to_end += 1

    def _wake_up(self) -> None:
        """Give children time to speak: it was this process that stood still, perhaps with them."""
        for child in self._children:
            if child.watch is not None:
                child.hear()  # what was true then
            if child.heard_at is not None:
                child.heard_at = time.monotonic()

    def _outcome(self, *, is_any_alive: bool, is_ending: bool) -> int | None:
        """Return the exit code once nothing is left to do; tell how things are."""
        if is_ending:
            if is_any_alive:
                return None
            self._notices.withdraw(self._children)
            return 0
        is_over = all(child.start_at == NEVER for child in self._children)
        if is_over:
            log.error("all of %d are given up: nothing is left to do here", len(self._children))
        self._notices.tell(self._children, is_last_word=is_over)
        return self._exit_code if is_over else None

    def _look_at(self, child: Child) -> bool:
        """Do what a child needs; return whether it is alive, or will be."""
        now = time.monotonic()
        if child.popen is None:
            if self._told_to_end or child.start_at == NEVER:
                return False
            if now >= child.start_at:
                child.start(self._command)
            return True
        code = child.popen.poll()
        if code is not None:
            self._bury(child, code)
            return not self._told_to_end
        self._watch(child, now)
        return True

    def _watch(self, child: Child, now: float) -> None:
        """Kill a process that makes no progress."""
        quiet = child.hear()
        if quiet is not None:
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
        child.killed_for = reason
        child.kill(why)

    def _bury(self, child: Child, code: int) -> None:
        """Give a dead process' jobs to others, and say when it is started again."""
        reason = child.blame(code)
        jobs = self._bereaved.put_back(child.process, reason, culprits=child.stalled)
        then = child.bury(code, jobs)
        if self._told_to_end:
            log.info("%s ended (%s)", child.name, how(code))
            return
        log.error("%s ended (%s); it starts %s", child.name, how(code), then)
        if child.start_at == NEVER:
            # As a shell says it: negative numbers are no exit codes.
            self._exit_code = code if code > 0 else 128 - code
            left = sum(1 for each in self._children if each.start_at != NEVER)
            log.error("%s is given up; %d of %d go on", child.name, left, len(self._children))

    def _pass_on(self) -> None:
        log.info("told to end, as are %s", ", ".join(child.name for child in self._children))
        for child in self._children:
            if child.popen is not None:
                child.popen.terminate()

    def _kill_all(self) -> None:
        for child in self._children:
            if child.popen is not None and not child.is_given_up:
                child.is_given_up = True
                child.kill("it did not end in time")


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
