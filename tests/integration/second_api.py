"""An API process of its own, beside the one that most tests share, with settings of its own."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from deploy.local.processes import Process


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondApi:
    """Where it answers, and its log."""

    url: str
    process: Process

    @staticmethod
    def wait_until(condition: Callable[[], bool], *, within_seconds: float = 20) -> None:
        """Return once something holds."""
        deadline = time.monotonic() + within_seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.1)
