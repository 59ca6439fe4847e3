"""Tell the registry where no process takes jobs, and why, so that no GPU just vanishes."""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Literal

from jobs.errors import Unavailable
from jobs.workers import NotRunning, WorkerRegistry
from worker.child import NEVER, Child
from worker.nvml import measure
from worker.stage_places import StagePlace

TELL_SECONDS = 5.0

State = Literal["starting", "restarting", "failed"]

log = logging.getLogger(__name__)


class Notices:
    """What a launcher says of those of its processes that do not speak for themselves.

    It is told in the launcher's own rounds, which forks, and so has no threads. While Redis is
    away a round in TELL_SECONDS takes as long as Redis needs to refuse.
    """

    def __init__(self, registry: WorkerRegistry) -> None:
        self._registry = registry
        self._told: dict[str, tuple[State | None, datetime]] = {}
        self._next_at = 0.0  # monotonic; also after a failure
        self._is_behind = False

    def tell(self, children: Sequence[Child], *, is_last_word: bool = False) -> None:
        """Say what has changed at once, and the rest every few seconds.

        Args:
            children: all of the launcher's.
            is_last_word: the launcher ends over it; what it says is kept for a day.
        """
        states = {child.name: (state_of(child), child.since) for child in children}
        is_news = states != self._told and not self._is_behind
        if not is_news and not is_last_word and time.monotonic() < self._next_at:
            return
        try:
            if not self._told:
                self._forget_last_words(children)
            for child in children:
                self._say(child, is_last_word=is_last_word)
        except Unavailable as error:
            log.warning("nobody is told which processes do not run: %s", error)
            self._is_behind = True
        else:
            self._told, self._is_behind = states, False
        self._next_at = time.monotonic() + TELL_SECONDS

    def withdraw(self, children: Sequence[Child]) -> None:
        """Say nothing any more: nobody wants those processes."""
        with suppress(Unavailable):  # then it is forgotten by itself
            self._registry.forget_not_running([child.name for child in children])

    def _forget_last_words(self, children: Sequence[Child]) -> None:
        """Clear away what an earlier launcher left, whose GPUs may not be among these.

        What another launcher on this machine says goes too, until it says it again.
        """
        hosts = {child.name.partition("@")[2] for child in children}
        said = [one.name for one in self._registry.not_running()]
        self._registry.forget_not_running(
            [name for name in said if name.partition("@")[2] in hosts]
        )

    def _say(self, child: Child, *, is_last_word: bool) -> None:
        state = state_of(child)
        is_told = self._told.get(child.name) == (state, child.since)
        if state is None:
            if not is_told:
                self._registry.forget_not_running([child.name])
            return
        if child.popen is None and not is_told:
            self._registry.leave(child.name)  # what was killed could not
        place = child.place
        self._registry.report_not_running(
            NotRunning(
                name=child.name,
                state=state,
                since=child.since,
                deaths=child.restarts.deaths,
                reason=child.reason,
                gpu=measure(place.uuid) if place.uuid else None,
                stage=place.role if isinstance(place, StagePlace) else None,
            ),
            is_last_word=is_last_word,
        )


def state_of(child: Child) -> State | None:
    """Return what a child lacks for taking jobs; None: nothing."""
    if child.popen is not None:
        return "starting" if child.worked_at is None else None
    if child.start_at == NEVER:
        return "failed"
    return "starting" if child.reason is None else "restarting"
