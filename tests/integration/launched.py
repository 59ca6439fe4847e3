"""Real launchers over stand-in workers, for tests of what happens when something dies."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from deploy.local.processes import Process, wait_until
from deploy.local.stack import Stack
from jobs.job import Job
from jobs.status import JobStatus
from jobs.store import JobStore

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


def running(store: JobStore, job_id: str, *, within_seconds: float = 30) -> Job:
    """Return a job once some worker has it in work."""
    deadline = time.monotonic() + within_seconds
    while (job := store.get(job_id)).status is not JobStatus.RUNNING:
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
    return job


def gone(process: psutil.Process, *, within_seconds: float = 30) -> None:
    """Return once a process has ended.

    Raises:
        psutil.TimeoutExpired: it has not.
    """
    process.wait(within_seconds)


def gpu_processes(launcher: Process) -> list[psutil.Process]:
    """Return the processes that a launcher keeps alive."""
    return psutil.Process(launcher.pid).children()
