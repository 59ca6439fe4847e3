"""Time what is done, by name."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

Seconds = dict[str, float]  # by what took them


class Stopwatch:
    """Collects how long things took."""

    def __init__(self) -> None:
        self.seconds: Seconds = {}

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Time the block; blocks of one name add up."""
        began = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began
