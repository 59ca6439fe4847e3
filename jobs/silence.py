"""Remember that a server takes what it is sent and does not answer, so that not everybody waits.

A server that is stopped refuses at once, and whoever asks knows. One that hangs lets everybody wait
for a timeout, until every thread of the process stands there. So after the first timeout one caller
at a time tries, and the others are refused until it was answered.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HOLD_SECONDS = 1.0  # after a timeout nobody tries
_TRIAL_SECONDS = 10.0  # longer than a timeout: a trial whose end nobody told is over then

log = logging.getLogger(__name__)


class Silence:
    """Whether one server is silent, as seen by one process; threads share it."""

    def __init__(self, server: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with a server that answers.

        Args:
            server: what people call it, for the log.
            clock: seconds, never going back.
        """
        self._server = server
        self._clock = clock
        self._lock = threading.Lock()
        self._next_trial: float | None = None  # second of the clock; None: the server answers
        self._mine = threading.local()

    def refuses(self) -> bool:
        """Whether the caller must not ask the server now.

        One who may says afterwards how it went, with `heard` or `fell_silent`.
        """
        with self._lock:
            if self._next_trial is None:
                return False
            now = self._clock()
            if now < self._next_trial:
                return True
            self._next_trial = now + _TRIAL_SECONDS
            return False

    def heard(self) -> None:
        """Take note that the server answered, or refused at once."""
        if self._next_trial is None:
            return
        with self._lock:
            was_silent, self._next_trial = self._next_trial is not None, None
        if was_silent:
            log.warning("%s answers again", self._server)

    def fell_silent(self) -> None:
        """Take note that the server let a caller wait until its timeout."""
        with self._lock:
            answered = self._next_trial is None
            self._next_trial = self._clock() + HOLD_SECONDS
        if answered:
            log.warning("%s does not answer", self._server)

    @contextmanager
    def asking(
        self, *, refusal: Callable[[], Exception], timeouts: tuple[type[Exception], ...]
    ) -> Iterator[None]:
        """Ask the server inside, unless it is silent; asking within asking is one.

        Args:
            refusal: makes what is raised where the server must not be asked.
            timeouts: what is raised inside when the server did not answer in time.
        """
        if getattr(self._mine, "is_asking", False):
            yield
            return
        if self.refuses():
            raise refusal()
        self._mine.is_asking = True
        try:
            yield
        except timeouts:
            self.fell_silent()
            raise
        except BaseException:
            self.heard()
            raise
        else:
            self.heard()
        finally:
            self._mine.is_asking = False
