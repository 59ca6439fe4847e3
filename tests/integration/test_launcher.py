"""What runs jobs dies, hangs or is told to end; the launcher and the leases put it right."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.local.processes import Process
from deploy.local.stack import Stack
from jobs.job import Job
from jobs.status import JobStatus
from jobs.store import JobStore
from tests.integration.launched import Launch, gpu_processes, launching

Answer = dict[str, Any]
Submit = Callable[..., Answer]
Ended = Callable[..., Answer]


@pytest.fixture(autouse=True)
def _empty(valkey: object) -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def launch(stack: Stack) -> Iterator[Launch]:
    with launching(stack) as start:
        yield start


def running(store: JobStore, job_id: str, *, within_seconds: float = 30) -> Job:
    deadline = time.monotonic() + within_seconds
    while (job := store.get(job_id)).status is not JobStatus.RUNNING:
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
    return job


def gone(process: psutil.Process, *, within_seconds: float = 30) -> None:
    process.wait(within_seconds)


def codes(job: Answer) -> list[str]:
    return [setback["code"] for setback in job["setbacks"]]


def test_a_job_whose_process_is_killed_runs_again_without_waiting_for_its_lease(
    launch: Launch, submit: Submit, ended: Ended, store: JobStore, tmp_path: Path
) -> None:
    launcher = launch(JOBS_PER_WORKER="1")
    job_id = submit({"die": True, "evil_once": str(tmp_path / "once")})["id"]

    job = ended(job_id, within_seconds=25)  # less than a lease

    assert job["status"] == "succeeded"
    assert (job["attempt"], codes(job)) == (2, ["crashed"])
    assert launcher.is_alive()


def test_a_neighbour_of_what_kills_its_process_pays_nothing(
    launch: Launch, submit: Submit, ended: Ended, store: JobStore
) -> None:
    launch(JOBS_PER_WORKER="2")
    neighbour = submit({"seconds": 4})["id"]
    running(store, neighbour)
    bad = submit({"segfault": True})["id"]

    failed, fine = ended(bad, within_seconds=90), ended(neighbour)

    assert (fine["status"], fine["attempt"], codes(fine)) == ("succeeded", 1, ["crashed"])
    assert failed["error"]["code"] == "attempts_exhausted"
    assert (failed["attempt"], codes(failed)) == (3, ["crashed"] * 4)


def test_a_job_that_hangs_is_ended_and_fails_the_second_time(
    launch: Launch, submit: Submit, ended: Ended, store: JobStore
) -> None:
    launch(JOBS_PER_WORKER="2", STALL_SECONDS="10")
    bad = submit({"hang": 120})["id"]
    running(store, bad)
    neighbour = submit({"seconds": 1})["id"]
    assert ended(neighbour)["status"] == "succeeded"
    innocent = submit({"seconds": 11})["id"]

    failed, fine = ended(bad, within_seconds=90), ended(innocent, within_seconds=90)

    assert failed["error"]["code"] == "stalled"
    assert codes(failed) == ["stalled"] * 2
    assert (fine["status"], fine["attempt"], codes(fine)) == ("succeeded", 1, [])


def test_a_job_without_memory_is_tried_once_more_and_then_fails(
    launch: Launch, submit: Submit, ended: Ended, tmp_path: Path
) -> None:
    launch(JOBS_PER_WORKER="1")
    once = submit({"eat": 16, "evil_once": str(tmp_path / "once")})["id"]
    always = submit({"eat": 16})["id"]

    fine, failed = ended(once), ended(always)

    assert (fine["status"], codes(fine)) == ("succeeded", ["out_of_memory"])
    assert failed["error"]["code"] == "out_of_memory"


def test_told_to_end_a_worker_finishes_what_is_short_and_hands_back_the_rest(
    launch: Launch, submit: Submit, ended: Ended, store: JobStore
) -> None:
    first = launch(JOBS_PER_WORKER="2", DRAIN_SECONDS="4")
    short, long = submit({"seconds": 2})["id"], submit({"seconds": 12})["id"]
    running(store, short)
    running(store, long)
    (process,) = gpu_processes(first)

    psutil.Process(first.pid).terminate()
    gone(process)

    assert store.get(short).status is JobStatus.SUCCEEDED
    handed_back = store.get(long)
    assert (handed_back.status, handed_back.attempt) == (JobStatus.QUEUED, 0)
    assert handed_back.setbacks == ()
    launch()
    again = ended(long)
    assert (again["status"], again["attempt"], codes(again)) == ("succeeded", 1, [])


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

    job = store.get(job_id)
    assert (job.status, job.attempt, job.setbacks) == (JobStatus.QUEUED, 0, ())


def test_what_does_not_let_go_is_handed_back_by_force(
    launch: Launch, submit: Submit, store: JobStore
) -> None:
    launcher = launch(JOBS_PER_WORKER="1", DRAIN_SECONDS="0")
    job_id = submit({"hang": 300})["id"]
    running(store, job_id)
    (process,) = gpu_processes(launcher)

    psutil.Process(launcher.pid).terminate()
    gone(process)

    job = store.get(job_id)
    assert (job.status, job.attempt, job.setbacks) == (JobStatus.QUEUED, 0, ())


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


def test_a_process_that_says_nothing_for_long_is_started_anew(
    launch: Launch, submit: Submit, ended: Ended, store: JobStore
) -> None:
    launcher = launch(JOBS_PER_WORKER="1", STALL_SECONDS="10")
    (process,) = gpu_processes(launcher)
    process.send_signal(signal.SIGSTOP)

    gone(process, within_seconds=90)

    assert ended(submit({})["id"])["status"] == "succeeded"


def test_what_cannot_start_is_not_started_for_ever(stack: Stack, tmp_path: Path) -> None:
    process: Process = stack.start(
        "cannot-start",
        _WORKER,
        variables={"DEVICE": "cuda", "GPUS": "0", "WORK_DIR": str(tmp_path)},
    )

    psutil.Process(process.pid).wait(60)

    assert "never again" in process.last_words()


_WORKER = [sys.executable, "-m", "worker"]
