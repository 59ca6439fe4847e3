"""A stand-in worker whose clock jumps two minutes, forth and back, at each SIGUSR1."""

import signal
from datetime import timedelta

import time_machine

from tests.integration import stand_in_worker

_STEP = timedelta(minutes=2)


class Clock:
    """The clock of this process: the machine's, or off by a step."""

    def __init__(self) -> None:
        self._travel: time_machine.travel | None = None
        self._is_forth = False

    def step(self, *_: object) -> None:
        """Jump; every other time back to before where it began."""
        if self._travel is not None:
            self._travel.stop()
        self._is_forth = not self._is_forth
        self._travel = time_machine.travel(_STEP if self._is_forth else -_STEP, tick=True)
        self._travel.start()


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, Clock().step)
    stand_in_worker.main()
