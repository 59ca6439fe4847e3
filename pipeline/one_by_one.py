"""Let runs of one process take turns at what only one of them can use at a time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_SECONDS = 1.0  # between two signs of life while another run is at work

Tell = Callable[[float], None]


class OneByOne:
    """A lock that shows those who wait that they wait for somebody who gets on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Runs that are over, and the share of the one at work that is done; it never falls.
        self._moved = 0.0

    @contextmanager
    def alone(self, tell: Tell) -> Iterator[Tell]:
        """Wait until nobody else is in such a block, and keep the others out.

        Args:
            tell: called while others are at work, with 0 to 1: how much of the waiting is done.
                It rises only as far as they get on, for a run that waits for one that has come to
                a standstill has come to one itself. What it raises ends the waiting.

        Yields:
            What the block calls, with 0 to 1, to say how much of its work is done.
        """
        joined_at = self._moved
        while not self._lock.acquire(timeout=PATIENCE_SECONDS):
            # How many are in front is not known: each of them takes half of what is left.
            tell(1 - 0.5 ** (self._moved - joined_at))
        begun_at = self._moved

        def advance(fraction: float) -> None:
            self._moved = max(self._moved, begun_at + fraction)

        try:
            yield advance
        finally:
            self._moved = begun_at + 1
            self._lock.release()
