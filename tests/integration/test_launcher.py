"""What runs jobs dies, hangs or is told to end; the launcher and the leases put it right."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.local.processes import Process
from deploy.local.stack import Stack
from jobs.store import JobStore
from tests.integration.launched import Launch, gone, gpu_processes, launching, running

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


def test_a_process_that_holds_too_much_memory_is_ended_before_the_kernel_does_it(
    launch: Launch, submit: Submit, ended: Ended, tmp_path: Path
) -> None:
    launch(JOBS_PER_WORKER="1", WORKER_MEMORY_MB="400")
    script = {"eat": 500, "hang": 120, "evil_once": str(tmp_path / "once")}

    job = ended(submit(script)["id"], within_seconds=60)

    assert (job["status"], job["attempt"], codes(job)) == ("succeeded", 2, ["out_of_memory"])


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

    code = psutil.Process(process.pid).wait(60)

    assert code == os.EX_CONFIG
    assert "never again" in process.last_words()


_WORKER = [sys.executable, "-m", "worker"]
