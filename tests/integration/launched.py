"""Real launchers over stand-in workers, for tests of what happens when something dies."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from deploy.local.processes import Process, wait_until
from deploy.local.stack import Stack

Launch = Callable[..., Process]
_COMMAND = [sys.executable, "-m", "tests.integration.stand_in_launcher"]


@contextmanager
def launching(stack: Stack) -> Iterator[Launch]:
    """A function that starts one more launcher, beside a housekeeper; all end with the block."""
    started = [stack.start("housekeeper", [sys.executable, "-m", "worker", "housekeeper"])]

    def launch(**variables: str) -> Process:
        name = f"launcher-{len(stack.processes)}"
        process = stack.start(
            name,
            _COMMAND,
            variables={"WORKER_NAME": f"{name}@test", "DEVICE": "cpu", **variables},
        )
        started.append(process)
        wait_until(stack.has_worker, process, within_seconds=60)
        return process

    yield launch
    for process in started:
        process.stop(within_seconds=45)


def gpu_processes(launcher: Process) -> list[psutil.Process]:
    """Return the processes that a launcher keeps alive."""
    return psutil.Process(launcher.pid).children()
