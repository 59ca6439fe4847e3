"""A worker that is told to end finishes what is short, and hands back the rest at no cost."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from deploy.local.stack import Stack
from jobs.job import Job
from jobs.status import JobStatus
from jobs.store import JobStore
from tests.integration.launched import Launch, gone, gpu_processes, launching, running

Submit = Callable[..., dict[str, Any]]
Ended = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _empty(valkey: object) -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def launch(stack: Stack) -> Iterator[Launch]:
    with launching(stack) as start:
        yield start


def has_cost_nothing(job: Job) -> bool:
    return (job.status, job.attempt, job.setbacks) == (JobStatus.QUEUED, 0, ())


def test_told_to_end_a_worker_finishes_what_is_short_and_hands_back_the_rest(
    launch: Launch, submit: Submit, ended: Ended, store: JobStore
) -> None:
    first = launch(JOBS_PER_WORKER="2", DRAIN_SECONDS="8")
    short, long = submit({"seconds": 1})["id"], submit({"seconds": 20})["id"]
    running(store, short)
    running(store, long)
    (process,) = gpu_processes(first)

    psutil.Process(first.pid).terminate()
    gone(process)

    assert store.get(short).status is JobStatus.SUCCEEDED
    assert has_cost_nothing(store.get(long))
    launch()
    again = ended(long)
    assert (again["status"], again["attempt"], again["setbacks"]) == ("succeeded", 1, [])


def test_told_twice_to_end_a_worker_hands_back_at_once(
    launch: Launch, submit: Submit, store: JobStore
) -> None:
    launcher = launch(JOBS_PER_WORKER="1", DRAIN_SECONDS="600")
    job_id = submit({"seconds": 300})["id"]
    running(store, job_id)
    (process,) = gpu_processes(launcher)

    for _ in range(2):
        psutil.Process(launcher.pid).terminate()
        time.sleep(1)
    gone(process)

    assert has_cost_nothing(store.get(job_id))


def test_what_does_not_let_go_is_handed_back_by_force(
    launch: Launch, submit: Submit, store: JobStore
) -> None:
    launcher = launch(JOBS_PER_WORKER="1", DRAIN_SECONDS="0")
    job_id = submit({"hang": 300})["id"]
    running(store, job_id)
    (process,) = gpu_processes(launcher)

    psutil.Process(launcher.pid).terminate()
    gone(process)

    assert has_cost_nothing(store.get(job_id))


def test_processes_whose_launcher_is_killed_hand_back_and_go(
    launch: Launch, submit: Submit, store: JobStore
) -> None:
    launcher = launch(JOBS_PER_WORKER="1", DRAIN_SECONDS="0")
    job_id = submit({"seconds": 300})["id"]
    running(store, job_id)
    (process,) = gpu_processes(launcher)

    launcher.kill()
    gone(process)

    assert store.get(job_id).status is JobStatus.QUEUED


def test_what_cannot_even_do_that_is_killed_and_its_job_pays_nothing(
    launch: Launch, submit: Submit, store: JobStore
) -> None:
    launcher = launch(JOBS_PER_WORKER="1", DRAIN_SECONDS="0")
    job_id = submit({"seconds": 300})["id"]
    running(store, job_id)
    (process,) = gpu_processes(launcher)
    process.send_signal(signal.SIGSTOP)

    psutil.Process(launcher.pid).terminate()
    gone(process)
    gone(psutil.Process(launcher.pid))

    assert has_cost_nothing(store.get(job_id))


def test_sigquit_hands_back_at_once(launch: Launch, submit: Submit, store: JobStore) -> None:
    launcher = launch(JOBS_PER_WORKER="1", DRAIN_SECONDS="600")
    job_id = submit({"seconds": 300})["id"]
    running(store, job_id)
    (process,) = gpu_processes(launcher)

    process.send_signal(signal.SIGQUIT)
    gone(process)

    assert store.get(job_id).setbacks == ()


@pytest.mark.parametrize("role", ["housekeeper", "courier"])
def test_its_company_ends_soon(stack: Stack, role: str) -> None:
    company = stack.start(f"leaving-{role}", [sys.executable, "-m", "worker", role])
    process = psutil.Process(company.pid)
    _until(lambda: is_up(process))

    process.terminate()

    assert process.wait(15) == 0


def is_up(process: psutil.Process) -> bool:
    """Whether a program is past its imports: it is connected to Valkey or storage."""
    return any(each.status == psutil.CONN_ESTABLISHED for each in process.net_connections("tcp"))


def _until(ready: Callable[[], bool], *, within_seconds: float = 30) -> None:
    deadline = time.monotonic() + within_seconds
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)
