"""Start the API and workers whose pipeline only does what the media says."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import redis

from deploy.local.processes import Process, wait_until
from deploy.local.servers import free_ports
from deploy.local.stack import Stack
from jobs import queue as broker
from jobs import s3_client as s3
from jobs.dispatch import job_dispatch
from jobs.queue import JobQueue
from jobs.settings import StoreSettings
from jobs.store import JobStore
from tests.integration.post_office import PostOffice
from tests.integration.second_api import SecondApi
from tests.integration.webhook_receiver import Receiver, receiving
from worker.housekeeper import Housekeeper
from worker.keeping_house import housekeeper as housekeeper_of

Submit = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def api(stack: Stack) -> Iterator[httpx.Client]:
    """The real API, behind gunicorn."""
    process = stack.start_api()
    with httpx.Client(base_url=stack.url, timeout=30) as client:
        yield client
    process.stop()


@pytest.fixture(scope="module")
def start_second_api(stack: Stack) -> Iterator[Callable[..., SecondApi]]:
    """A function that starts one more API with settings of its own; stopped after the module."""
    started: list[Process] = []

    def start(**variables: str) -> SecondApi:
        (port,) = free_ports(1)
        process = stack.start_api(port=port, variables={"API_PROCESSES": "1", **variables})
        started.append(process)
        return SecondApi(url=f"http://127.0.0.1:{port}", process=process)

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def start_worker(stack: Stack) -> Iterator[Callable[..., Process]]:
    """A function that starts one more stand-in worker; all are stopped after the test."""
    started: list[Process] = []

    def start(**variables: str) -> Process:
        name = f"stand-in-{len(stack.processes)}"
        command = [sys.executable, "-m", "tests.integration.stand_in_worker"]
        process = stack.start(name, command, variables={"WORKER_NAME": f"{name}@test", **variables})
        started.append(process)
        wait_until(stack.has_worker, process, within_seconds=60)
        return process

    yield start
    for process in started:
        process.stop(within_seconds=5)


@pytest.fixture
def submit(api: httpx.Client) -> Submit:
    """A function that submits a script for the stand-in and returns the job."""

    def send(script: dict[str, Any] | bytes, **options: str) -> dict[str, Any]:
        content = script if isinstance(script, bytes) else json.dumps(script).encode()
        answer = api.post("/v1/jobs", data=options, files={"file": ("call.wav", content)})
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = answer.json()
        return job

    return send


@pytest.fixture
def ended(api: httpx.Client) -> Callable[[str], dict[str, Any]]:
    """A function that waits until a job is over."""

    def wait(job_id: str, *, within_seconds: float = 60) -> dict[str, Any]:
        deadline = time.monotonic() + within_seconds
        while True:
            answer = api.get(f"/v1/jobs/{job_id}", params={"wait": 10})
            assert answer.status_code == 200, answer.text
            job: dict[str, Any] = answer.json()
            if job["status"] in ("succeeded", "failed", "canceled"):
                return job
            assert time.monotonic() < deadline, job

    return wait


@pytest.fixture
def housekeeper(valkey: "redis.Redis", store: JobStore, settings: StoreSettings) -> Housekeeper:
    """A housekeeper in this process, who makes rounds when told to."""
    dispatch = job_dispatch(valkey, JobQueue(broker.connect(settings), valkey))
    storage = s3.connect(settings)
    # The server was started a moment ago: nobody waits for workers that outlasted its absence.
    return housekeeper_of(valkey, store, dispatch, storage, settings.s3_bucket, grace_seconds=0.0)


@pytest.fixture
def office(valkey: "redis.Redis", settings: StoreSettings) -> PostOffice:
    """A courier in this process, whose time is told by hand."""
    return PostOffice(valkey, settings)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Who is told by webhooks."""
    with receiving() as found:
        yield found
