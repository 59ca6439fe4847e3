"""Streams of events when clients or Redis go away, and when there are many."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from api.settings import ApiSettings
from deploy.local.processes import Process
from deploy.local.servers import Valkey, free_ports, is_listening
from deploy.local.stack import Stack
from jobs import redis_client
from jobs.attempt import Lease
from jobs.job import Job
from jobs.leases import Leases
from jobs.store import JobStore
from tests.events_read import names, told, until, watching
from tests.integration.second_api import SecondApi
from tests.jobs_made import a_job

StartApi = Callable[..., SecondApi]


class Redis:
    """A Valkey of this test's own, which may be paused and killed."""

    def __init__(self, stack: Stack, directory: Path) -> None:
        (port,) = free_ports(1)
        self.server = Valkey(directory=directory, port=port, password="made-up")
        self.process: Process = stack.start(
            f"valkey-{port}", self.server.command(), ready=lambda: is_listening(port), seconds=20
        )
        self.client = redis_client.connect(self.server.url)
        self.store = JobStore(self.client)

    def running_job(self) -> Job:
        """Return a job that this test holds, as a worker would."""
        job = a_job()
        self.store.add(job)
        claimed = Leases(self.client, self.store).claim(job.id, Lease(token="t", worker="w"))
        assert claimed.is_mine
        return claimed.job

    def suspend(self) -> None:
        psutil.Process(self.process.pid).suspend()

    def resume(self) -> None:
        psutil.Process(self.process.pid).resume()


@pytest.fixture
def own_redis(stack: Stack, tmp_path: Path) -> Iterator[Redis]:
    found = Redis(stack, tmp_path)
    yield found
    found.client.close()
    found.process.kill()


def test_a_quiet_stream_shows_that_it_is_alive(
    own_redis: Redis, start_second_api: StartApi
) -> None:
    api = start_second_api(REDIS_URL=own_redis.server.url, HEARTBEAT_SECONDS="0.1")
    path = f"{api.url}/v1/jobs/{own_redis.running_job().id}/events"

    with httpx.stream("GET", path, timeout=30) as answer:
        lines = answer.iter_lines()
        assert "event: status" in lines
        for _ in range(3):
            assert ":" in lines


def test_a_short_absence_of_redis_ends_no_stream(
    own_redis: Redis, start_second_api: StartApi
) -> None:
    api = start_second_api(REDIS_URL=own_redis.server.url, HEARTBEAT_SECONDS="1")
    job = own_redis.running_job()

    with httpx.stream("GET", f"{api.url}/v1/jobs/{job.id}/events", timeout=30) as answer:
        lines = answer.iter_lines()
        assert "event: status" in lines
        own_redis.suspend()
        for _ in range(2):
            assert ":" in lines
        own_redis.resume()
        own_redis.store.update(job.id, Job.canceled)
        assert "event: done" in lines


def test_a_long_absence_of_redis_ends_the_stream(
    own_redis: Redis, start_second_api: StartApi
) -> None:
    api = start_second_api(REDIS_URL=own_redis.server.url, HEARTBEAT_SECONDS="0.2")

    with watching(api.url, own_redis.running_job().id) as events:
        until(events, "status")
        own_redis.process.kill()
        (last,) = list(events)

    assert (last.event, told(last)["code"]) == ("unavailable", "store_unavailable")


def test_fifty_streams_share_one_subscription_and_all_end(
    own_redis: Redis, start_second_api: StartApi
) -> None:
    api = start_second_api(REDIS_URL=own_redis.server.url)
    jobs = [own_redis.running_job() for _ in range(10)]

    with ExitStack() as opened:
        streams = [
            opened.enter_context(watching(api.url, job.id)) for job in jobs for _ in range(5)
        ]
        for events in streams:
            until(events, "status")
        subscribed = own_redis.client.client_list(_type="pubsub")
        for job in jobs:
            own_redis.store.update(job.id, Job.canceled)
        rest = [names(list(events)) for events in streams]

    assert len(subscribed) == 1
    assert rest == [["status", "done"]] * 50


def test_a_client_that_hangs_up_leaves_its_place_to_another(
    own_redis: Redis, start_second_api: StartApi
) -> None:
    # Nothing is sent for a minute, so no broken pipe tells.
    api = start_second_api(REDIS_URL=own_redis.server.url, API_THREADS="24", HEARTBEAT_SECONDS="60")
    job = own_redis.running_job()
    path = f"{api.url}/v1/jobs/{job.id}/events"
    places = ApiSettings(api_threads=24).most_waiters

    with ExitStack() as opened:
        answers = [
            opened.enter_context(httpx.stream("GET", path, timeout=30)) for _ in range(places + 1)
        ]
        refused = json.loads(answers.pop().read())
        assert {answer.status_code for answer in answers} == {200}
    assert (refused["status"], refused["code"]) == (503, "too_many_waiting")

    def is_free() -> bool:
        with httpx.stream("GET", path, timeout=30) as again:
            return again.status_code == 200

    SecondApi.wait_until(is_free, within_seconds=10)
