"""The courier and the housekeeper go on after an outage, and a worker after a restart of Redis."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from deploy.local.processes import Process, wait_until
from deploy.local.servers import Valkey, free_ports, is_listening
from deploy.local.stack import Stack
from jobs import queue as broker
from jobs import redis_client
from jobs.dispatch import job_dispatch
from jobs.errors import StoreUnavailable
from jobs.files import JobFiles
from jobs.job import Job
from jobs.queue import JobQueue
from jobs.settings import StoreSettings
from jobs.status import JobStatus
from jobs.store import JobStore
from tests.integration.outages import MOST_LINES, Ways, lines, says
from tests.integration.post_office import PostOffice
from tests.integration.second_api import SecondApi
from tests.integration.webhook_receiver import Receiver
from tests.jobs_made import a_job

pytestmark = pytest.mark.slow

REDIS = ("redis stopped", "redis silent")


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def ways(settings: StoreSettings) -> Iterator[Ways]:
    found = Ways(settings)
    yield found
    found.close()


@pytest.fixture
def start(stack: Stack) -> Iterator[Callable[..., Process]]:
    """A function that starts a program of ours; all are stopped after the test."""
    started: list[Process] = []

    def begin(*arguments: str, **variables: str) -> Process:
        name = f"{arguments[-1]}-{len(stack.processes)}"
        process = stack.start(name, [sys.executable, "-m", *arguments], variables=variables)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.stop(within_seconds=5)


@pytest.mark.parametrize("kind", REDIS)
def test_a_courier_delivers_after_an_outage(
    ways: Ways, start: Callable[..., Process], receiver: Receiver, office: PostOffice, kind: str
) -> None:
    courier = start("worker", "courier", **ways.variables, ALLOW_PRIVATE_ADDRESSES="true")
    says(courier, "ready.")
    before = len(lines(courier.log))
    ways.lose(kind)
    says(courier, "rounds given up")
    office.endpoint(receiver.url)
    office.happens()
    ways.recover()

    receiver.wait_for(1)

    said = lines(courier.log)[before:]
    assert len(said) < MOST_LINES, "\n".join(said)
    assert courier.is_alive()


@pytest.mark.parametrize("kind", REDIS)
def test_a_housekeeper_keeps_house_after_an_outage(
    ways: Ways, start: Callable[..., Process], store: JobStore, kind: str
) -> None:
    keeper = start("worker", "housekeeper", **ways.variables)
    job = a_job()
    store.add(job)  # in a lane, and nobody sends its message
    SecondApi.wait_until(lambda: was_sent(store, job))
    before = len(lines(keeper.log))
    ways.lose(kind)
    says(keeper, "round given up")
    another = a_job(owner="bob")
    store.add(another)
    ways.recover()

    SecondApi.wait_until(lambda: was_sent(store, another))

    assert len(lines(keeper.log)[before:]) < MOST_LINES
    assert keeper.is_alive()


def was_sent(store: JobStore, job: Job) -> bool:
    return bool(store._redis.exists(f"whisperline:sent:{job.options.priority}:{job.owner}"))


def test_a_worker_takes_jobs_of_a_redis_that_was_restarted(
    stack: Stack, start: Callable[..., Process], files: JobFiles, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    server = Valkey(directory=tmp_path / "valkey", port=port, password="for-this-test")

    def run() -> Process:
        return stack.start(
            f"valkey-{port}", server.command(), ready=lambda: is_listening(port), seconds=20
        )

    first = run()
    worker = start("tests.integration.stand_in_worker", REDIS_URL=server.url)
    says(worker, "ready.")
    with redis_client.connect(server.url) as client:
        first.kill()
        wait_until(lambda: not is_listening(port), worker, within_seconds=20)
        says(worker, "Cannot connect")
        second = run()
        job = waiting_job(client, stack.store_settings, files, url=server.url)
        store = JobStore(client)
        SecondApi.wait_until(
            lambda: store.get(job.id).status is JobStatus.SUCCEEDED, within_seconds=60
        )
    second.kill()


def waiting_job(
    client: "redis.Redis", settings: StoreSettings, files: JobFiles, *, url: str
) -> Job:
    job = a_job()
    with files.media_writer(job.id, content_type=None) as writer:
        writer.write(b"{}")
    store = JobStore(client)
    SecondApi.wait_until(lambda: _answers(store))
    store.add(job)
    told = StoreSettings.model_validate({**settings.model_dump(), "redis_url": url})
    dispatch = job_dispatch(client, JobQueue(broker.connect(told), client))
    dispatch.feed(job.options.priority, job.owner)
    return job


def _answers(store: JobStore) -> bool:
    try:
        store.ping()
    except StoreUnavailable:
        return False
    return True
