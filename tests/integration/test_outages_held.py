"""Requests that wait for a job while Redis goes away: they go on, or end; none hangs or lies."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import redis

from deploy.local.processes import Process
from jobs import queue as broker
from jobs.errors import QueueUnavailable
from jobs.queue import JobQueue
from jobs.settings import StoreSettings
from jobs.store import JobStore
from tests.events_read import names, told, until, watching
from tests.integration.asr_requests import held
from tests.integration.outages import ANSWER_SECONDS, Ways, works_again
from tests.integration.second_api import SecondApi

pytestmark = pytest.mark.slow

REDIS = ("redis stopped", "redis silent")


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture(scope="module")
def ways(settings: StoreSettings) -> Iterator[Ways]:
    found = Ways(settings)
    yield found
    found.close()


@pytest.fixture(scope="module")
def service(ways: Ways, start_second_api: Callable[..., SecondApi]) -> SecondApi:
    return start_second_api(**ways.variables, HEARTBEAT_SECONDS="1")


@pytest.fixture
def api(service: SecondApi, ways: Ways) -> Iterator[httpx.Client]:
    ways.recover()
    with httpx.Client(base_url=service.url, timeout=60) as client:
        works_again(lambda: client.get("/ready").status_code)
        yield client
    ways.recover()


def knows(api: httpx.Client) -> None:
    """Return once the API has met the outage."""
    SecondApi.wait_until(lambda: api.get("/v1/queue").status_code == 503)


@pytest.mark.parametrize("kind", REDIS)
def test_a_held_request_sits_an_outage_out(
    api: httpx.Client,
    ways: Ways,
    start_worker: Callable[..., Process],
    kind: str,
) -> None:
    with held(str(api.base_url)) as answer:
        parts = answer.iter_raw()
        begun = next(parts)
        ways.lose(kind)
        knows(api)
        begun += next(parts) + next(parts)  # signs of life
        ways.recover()
        start_worker()
        text = (begun + b"".join(parts)).decode()

    assert json.loads(text)["segments"][0]["text"] == "hello"


@pytest.mark.parametrize("kind", REDIS)
def test_a_job_that_was_accepted_is_accepted_whatever_goes_away(
    api: httpx.Client, ways: Ways, store: JobStore, kind: str
) -> None:
    def send() -> httpx.Response:
        return api.post("/v1/jobs", files={"file": ("a", b"x")}, headers={"Prefer": "wait=60"})

    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(send)
        SecondApi.wait_until(lambda: store.queued_of("anonymous") == 1)
        ways.lose(kind)
        answer = sent.result(timeout=40)

    assert answer.status_code == 202
    assert store.get(answer.json()["id"]).status == "queued"


@pytest.mark.parametrize("kind", REDIS)
def test_a_long_poll_ends_with_a_503(api: httpx.Client, ways: Ways, kind: str) -> None:
    job_id = api.post("/v1/jobs", files={"file": ("a", b"x")}).json()["id"]

    def poll() -> httpx.Response:
        return api.get(f"/v1/jobs/{job_id}", params={"wait": 60})

    with ThreadPoolExecutor(1) as pool:
        polled = pool.submit(poll)
        works_again(lambda: api.get("/v1/queue").status_code)
        ways.lose(kind)
        knows(api)
        answer = polled.result(timeout=40)

    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")


@pytest.mark.parametrize("kind", REDIS)
def test_a_stream_of_events_goes_on_after_an_outage(
    api: httpx.Client, ways: Ways, kind: str
) -> None:
    job_id = api.post("/v1/jobs", files={"file": ("a", b"x")}).json()["id"]
    with watching(str(api.base_url), job_id) as events:
        until(events, "status")
        ways.lose(kind)
        knows(api)
        ways.recover()
        works_again(lambda: api.post(f"/v1/jobs/{job_id}/cancel").status_code)
        rest = list(events)

    assert names(rest) == ["status", "done"], [told(each) for each in rest]


def test_a_message_that_a_silent_broker_does_not_take_holds_up_nobody(
    ways: Ways, valkey: "redis.Redis", settings: StoreSettings
) -> None:
    by_proxy: dict[str, Any] = {"redis_url": ways.variables["REDIS_URL"]}
    queue = JobQueue(broker.connect(StoreSettings(**by_proxy)), valkey)
    queue.send("job_1", "normal")
    ways.redis.freeze()

    def send(number: int) -> None:
        with pytest.raises(QueueUnavailable):
            queue.send(f"job_{number}", "normal")

    began = time.monotonic()
    with ThreadPoolExecutor(40) as pool:
        list(pool.map(send, range(40)))
    assert time.monotonic() - began < ANSWER_SECONDS
    ways.recover()


def test_a_queue_sends_again_once_its_broker_was_restarted(
    ways: Ways, valkey: "redis.Redis"
) -> None:
    by_proxy: dict[str, Any] = {"redis_url": ways.variables["REDIS_URL"]}
    queue = JobQueue(broker.connect(StoreSettings(**by_proxy)), valkey)
    queue.send("job_1", "normal")
    ways.redis.refuse()
    ways.redis.pass_on()

    queue.send("job_2", "normal")

    assert queue.waiting_ids("normal") == {"job_1", "job_2"}
