"""Try again while a service restarts or is full, for a bounded time."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

from client.errors import ServiceBusy, ServiceRefused, ServiceUnreachable

_FIRST_PAUSE_SECONDS = 0.5
_MOST_PAUSE_SECONDS = 15.0  # a restarted service is found again this soon
_SERVER_FAULT = 500  # statuses from here on
_FAULT_TRIES = 3  # of what the service answers with a fault of its own

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Patience:
    """How long nothing but silence and "later" is borne; every real answer starts it anew.

    It is shared by all threads of a program: as long as some of its requests are answered, a full
    queue is no reason to give up.
    """

    seconds: float
    # Where it counts from the beginning: False for a command that somebody types, so that a wrong
    # address is told at once.
    at_first: bool = True
    remark: Callable[[str], None] = lambda text: None  # tells that something is tried again
    sleep: Callable[[float], None] = time.sleep  # of seconds
    clock: Callable[[], float] = time.monotonic  # seconds
    _heard_at: float | None = field(default=None, init=False)  # None: not yet
    _is_told: bool = field(default=False, init=False)  # of the outage that lasts

    def insist(self, attempt: Callable[[], T], *, is_repeatable: bool = True) -> T:
        """Return what `attempt` returns, tried until it does.

        Args:
            attempt: one exchange with the service.
            is_repeatable: False: it is tried again only where it cannot have had an effect.

        Raises:
            ServiceRefused: as `attempt` raises it, at once.
            ServiceUnreachable: as `attempt` raises it, when patience ends.
        """
        began, pause = self.clock(), _FIRST_PAUSE_SECONDS
        for tries in count(1):
            try:
                answer = attempt()
            except ServiceUnreachable as error:
                if not (is_repeatable or error.was_not_sent):
                    raise
                seconds = _asked_for(error) or pause * random.uniform(0.7, 1.0)  # noqa: S311
                self._bear(error, began, seconds)
                pause = min(2 * pause, _MOST_PAUSE_SECONDS)
            except ServiceRefused as error:
                self._hear()
                if error.status < _SERVER_FAULT or tries >= _FAULT_TRIES or not is_repeatable:
                    raise
                self.sleep(pause)
            else:
                self._hear()
                return answer
        raise AssertionError  # count() has no end

    def _bear(self, error: ServiceUnreachable, began: float, pause_seconds: float) -> None:
        """Sleep, or raise the error."""
        if isinstance(error, ServiceBusy) and self._heard_at is None:
            self._heard_at = began  # somebody is there
        since = max(began, self._heard_at or began)
        left = since + self.seconds - self.clock()
        is_stranger = self._heard_at is None and not self.at_first
        if is_stranger or pause_seconds > left:
            raise error
        if not self._is_told:
            self._is_told = True
            self.remark(f"{error}; trying again for {left:.0f} s")
        self.sleep(pause_seconds)

    def _hear(self) -> None:
        self._heard_at = self.clock()
        if self._is_told:
            self._is_told = False
            self.remark("the service answers again")


def _asked_for(error: ServiceUnreachable) -> float | None:
    return error.retry_after_seconds if isinstance(error, ServiceBusy) else None
