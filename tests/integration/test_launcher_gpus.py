"""Four GPUs, which are processes on the CPU here: one of them fails, the others go on."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import pytest

from deploy.local.processes import Process
from deploy.local.stack import Stack
from jobs.store import JobStore
from tests.integration.launched import Launch, gone, gpu_processes, launching, running

Answer = dict[str, Any]
Submit = Callable[..., Answer]
Ended = Callable[..., Answer]

UUIDS = [f"GPU-{number}" for number in range(4)]


@pytest.fixture(autouse=True)
def _empty(valkey: object) -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def launch(stack: Stack) -> Iterator[Launch]:
    with launching(stack) as start:
        yield start


@pytest.fixture
def four(launch: Launch) -> Callable[..., Process]:
    """A function that starts a launcher with four GPUs, which its made-up driver knows."""

    def start(**variables: str) -> Process:
        given = {"MADE_UP_GPUS": ",".join(UUIDS), "JOBS_PER_WORKER": "1", "WORKER_NAME": ""}
        return launch(**{**given, "DEVICE": "auto", **variables})

    return start


def workers(api: httpx.Client, until: Callable[[Answer], bool], *, seconds: float = 60) -> Answer:
    """Return what /v1/workers answers once it is as wanted."""
    deadline = time.monotonic() + seconds
    while not until(answer := api.get("/v1/workers").json()):
        assert time.monotonic() < deadline, answer
        time.sleep(0.1)
    found: Answer = answer
    return found


def of(answer: Answer, part: str = "data") -> list[str]:
    return [one["name"].partition("@")[0] for one in answer[part]]


def on_gpu(launcher: Process, uuid: str) -> psutil.Process:
    """Return the process of a GPU."""
    (found,) = [
        process
        for process in gpu_processes(launcher)
        if process.environ().get("CUDA_VISIBLE_DEVICES") == uuid
    ]
    return found


def test_a_launcher_that_gave_up_all_its_gpus_ends_and_is_remembered(
    four: Callable[..., Process], api: httpx.Client, stack: Stack
) -> None:
    with pytest.raises(RuntimeError, match="nothing is left to do here"):
        four(GIVE_UP_AFTER="1", BROKEN_GPU=",".join(UUIDS))

    answer = api.get("/v1/workers").json()

    assert [one["state"] for one in answer["not_running"]] == ["failed"] * 4
    assert answer["data"] == []


def test_each_of_four_gpus_has_a_process_that_sees_it_alone(
    four: Callable[..., Process], api: httpx.Client
) -> None:
    launcher = four()
    answer = workers(api, lambda found: len(found["data"]) == 4)

    seen = {
        process.environ()["WORKER_NAME"].partition("@")[0]: process.environ()[
            "CUDA_VISIBLE_DEVICES"
        ]
        for process in gpu_processes(launcher)
    }
    assert seen == {f"gpu{number}": uuid for number, uuid in enumerate(UUIDS)}
    assert of(answer) == ["gpu0", "gpu1", "gpu2", "gpu3"]
    assert workers(api, lambda found: not found["not_running"])["unserved_stages"] == []


def test_a_gpu_that_keeps_failing_is_given_up_and_the_others_go_on(
    four: Callable[..., Process], api: httpx.Client, submit: Submit, ended: Ended
) -> None:
    launcher = four(GIVE_UP_AFTER="3", BROKEN_GPU="GPU-2")

    restarting = workers(
        api, lambda found: "restarting" in [one["state"] for one in found["not_running"]]
    )
    answer = workers(
        api,
        lambda found: (
            len(found["data"]) == 3 and [one["state"] for one in found["not_running"]] == ["failed"]
        ),
    )
    jobs = [submit({"seconds": 0.3})["id"] for _ in range(6)]

    assert "gpu2" in of(restarting, "not_running")
    assert of(answer) == ["gpu0", "gpu1", "gpu3"]
    (failed,) = answer["not_running"]
    assert failed["name"].startswith("gpu2@")
    assert failed["deaths"] == 3
    assert failed["reason"] == "it died 3 times in a row, last by exit code 1"
    assert failed["gpu"]["uuid"] == "GPU-2"
    assert failed["gpu"]["vram_total_bytes"] > failed["gpu"]["vram_used_bytes"] > 0
    assert [ended(job_id)["status"] for job_id in jobs] == ["succeeded"] * 6
    health = api.get("/health").json()
    assert (health["status"], health["workers"]) == ("degraded", 3)
    assert "gpu2@" in health["detail"]
    queue = api.get("/v1/queue").json()
    assert (queue["workers"], queue["failed_workers"]) == (3, 1)
    log = launcher.log.read_text()
    assert "CUDA error: the test says so" in log.split("its last words were")[1]
    assert "is given up; 3 of 4 go on" in log

    launcher.stop(within_seconds=45)

    assert workers(api, lambda found: not found["not_running"])["data"] == []


def test_a_process_that_is_killed_is_back_on_its_gpu_beside_the_others(
    four: Callable[..., Process], api: httpx.Client, submit: Submit, ended: Ended
) -> None:
    launcher = four()
    before = workers(api, lambda found: len(found["data"]) == 4)
    others = {process.pid for process in gpu_processes(launcher)}
    killed = on_gpu(launcher, "GPU-1")

    killed.kill()
    gone(killed)
    workers(api, lambda found: of(found, "not_running") == ["gpu1"])
    after = workers(api, lambda found: len(found["data"]) == 4 and not found["not_running"])

    began = {one["name"]: one["started_at"] for one in before["data"]}
    renewed = [one["name"] for one in after["data"] if began[one["name"]] != one["started_at"]]
    assert [name.partition("@")[0] for name in renewed] == ["gpu1"]
    assert others - {process.pid for process in gpu_processes(launcher)} == {killed.pid}
    assert ended(submit({})["id"])["status"] == "succeeded"


def test_a_launcher_that_is_told_to_end_drains_all_its_gpus(
    four: Callable[..., Process],
    api: httpx.Client,
    submit: Submit,
    ended: Ended,
    store: JobStore,
) -> None:
    launcher = four()
    workers(api, lambda found: len(found["data"]) == 4)
    jobs = [submit({"seconds": 6})["id"] for _ in range(4)]
    leases = [running(store, job_id).lease for job_id in jobs]
    children = gpu_processes(launcher)

    os.kill(launcher.pid, signal.SIGTERM)
    code = psutil.Process(launcher.pid).wait(60)

    assert len({lease.worker for lease in leases if lease}) == 4
    assert code == 0
    assert not any(child.is_running() for child in children)
    over = [ended(job_id) for job_id in jobs]
    assert [(job["status"], job["attempt"]) for job in over] == [("succeeded", 1)] * 4
    assert workers(api, lambda found: not found["data"])["not_running"] == []
