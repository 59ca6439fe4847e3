"""A worker keeps its job while Redis or storage is away, and finishes it when they are back."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import pytest
import redis

from deploy.local.processes import Process
from deploy.local.stack import Stack
from jobs.leases import Leases
from jobs.settings import StoreSettings
from tests.integration.outages import MOST_LINES, Ways, lines, says
from tests.integration.second_api import SecondApi

pytestmark = pytest.mark.slow

Ended = Callable[..., dict[str, Any]]
Submit = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def ways(settings: StoreSettings) -> Iterator[Ways]:
    found = Ways(settings)
    yield found
    found.close()


@pytest.fixture
def worker(ways: Ways, start_worker: Callable[..., Process]) -> Process:
    """A worker that reaches its stores by ways that may be cut."""
    process = start_worker(**ways.variables)
    says(process, "ready.")  # connected to the broker
    return process


def is_running(api: httpx.Client, job_id: str) -> bool:
    return bool(api.get(f"/v1/jobs/{job_id}").json()["stage"] == "transcribe")


def must_be_done_once(job: dict[str, Any], process: Process) -> None:
    assert (job["status"], job["attempt"]) == ("succeeded", 1), job
    assert process.is_alive()
    assert psutil.Process(process.pid).create_time() == pytest.approx(process.born, abs=0.1)


@pytest.mark.parametrize("kind", ["redis stopped", "redis silent"])
def test_a_job_outlives_an_absence_of_redis_longer_than_its_lease(
    api: httpx.Client,
    submit: Submit,
    ended: Ended,
    worker: Process,
    ways: Ways,
    leases: Leases,
    kind: str,
) -> None:
    job_id = submit({"seconds": 20, "say": "still here"})["id"]
    SecondApi.wait_until(lambda: is_running(api, job_id))
    before = len(lines(worker.log))

    ways.lose(kind)
    SecondApi.wait_until(lambda: job_id in leases.expired(), within_seconds=60)
    ways.recover()

    must_be_done_once(ended(job_id), worker)
    said = lines(worker.log)[before:]
    assert len(said) < MOST_LINES, "\n".join(said)
    again = submit({"say": "next"})["id"]
    must_be_done_once(ended(again), worker)


@pytest.mark.parametrize("kind", ["storage stopped", "storage silent"])
def test_a_job_waits_for_storage_to_fetch_its_media(
    submit: Submit, ended: Ended, worker: Process, ways: Ways, kind: str
) -> None:
    ways.lose(kind)
    job_id = submit({"say": "hello"})["id"]
    says(worker, "waits for its store")
    ways.recover()

    must_be_done_once(ended(job_id), worker)


@pytest.mark.parametrize("kind", ["storage stopped", "storage silent"])
def test_a_job_waits_for_storage_to_keep_its_transcript(
    api: httpx.Client, submit: Submit, ended: Ended, worker: Process, ways: Ways, kind: str
) -> None:
    job_id = submit({"seconds": 3, "say": "hello"})["id"]
    SecondApi.wait_until(lambda: is_running(api, job_id))

    ways.lose(kind)
    says(worker, "waits for its store")
    ways.recover()

    must_be_done_once(ended(job_id), worker)
    assert api.get(f"/v1/jobs/{job_id}/transcript?format=txt").text.strip() == "[SPEAKER_00] hello"


@pytest.mark.parametrize("stage", ["fetch", "store"])
def test_a_cancel_frees_a_worker_whose_storage_is_silent(
    api: httpx.Client, submit: Submit, worker: Process, ways: Ways, stage: str
) -> None:
    if stage == "fetch":
        ways.lose("storage silent")
    job_id = submit({"seconds": 2})["id"]
    if stage == "store":
        SecondApi.wait_until(lambda: is_running(api, job_id))
        ways.lose("storage silent")
    SecondApi.wait_until(lambda: api.get(f"/v1/jobs/{job_id}").json()["stage"] == stage)

    api.post(f"/v1/jobs/{job_id}/cancel").raise_for_status()

    says(worker, "attempt given up: ", within_seconds=6)


@pytest.fixture
def keeper(stack: Stack) -> Iterator[Process]:
    """Who sends a message again that was taken from Redis while it went away."""
    process = stack.start("keeper", [sys.executable, "-m", "worker", "housekeeper"])
    yield process
    process.stop(within_seconds=5)


@pytest.mark.usefixtures("keeper")
@pytest.mark.parametrize("ends", ["it goes on", "it was restarted"])
@pytest.mark.parametrize("kind", ["redis stopped", "redis silent"])
def test_an_idle_worker_takes_jobs_again(
    submit: Submit,
    ended: Ended,
    worker: Process,
    ways: Ways,
    stack: Stack,
    kind: str,
    ends: str,
) -> None:
    before = len(lines(worker.log))
    ways.lose(kind)
    SecondApi.wait_until(lambda: not stack.has_worker(), within_seconds=60)  # for half a minute
    if ends == "it was restarted":
        ways.redis.refuse()
    ways.recover()

    must_be_done_once(ended(submit({"say": "hello"})["id"]), worker)
    said = lines(worker.log)[before:]
    assert len(said) < MOST_LINES, "\n".join(said)
