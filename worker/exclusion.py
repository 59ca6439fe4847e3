"""Let a job that may kill its process have it for itself."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOOK_SECONDS = 0.5  # how often a job that waits looks whether it is to go on waiting


class Exclusion:
    """Lets in any number of jobs at once, or one that is alone; who waits to be alone goes first.

    Else it would wait for ever where there is always another job.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._shared = 0
        self._is_taken = False
        self._waiting = 0  # to be alone

    @contextmanager
    def shared(self, go_on: Callable[[], None]) -> Iterator[None]:
        """Run beside others; what `go_on` raises, now and then while this waits, ends it."""
        with self._changed:
            self._wait(lambda: not self._is_taken and not self._waiting, go_on)
            self._shared += 1
        try:
            yield
        finally:
            with self._changed:
                self._shared -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self, go_on: Callable[[], None]) -> Iterator[None]:
        """Run when nobody else does; what `go_on` raises, while this waits, ends it."""
        with self._changed:
            self._waiting += 1
            try:
                self._wait(lambda: not self._is_taken and not self._shared, go_on)
                self._is_taken = True
            finally:
                self._waiting -= 1
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._is_taken = False
                self._changed.notify_all()

    def _wait(self, ready: Callable[[], bool], go_on: Callable[[], None]) -> None:
        while not self._changed.wait_for(ready, timeout=_LOOK_SECONDS):
            go_on()
