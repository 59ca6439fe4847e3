"""Who is told of a batch, and of its jobs."""

import time
from collections.abc import Callable, Iterator

import httpx
import pytest
import redis

from deploy.local.processes import Process
from jobs.settings import StoreSettings
from tests.integration.batches_sent import VARIABLES, Archive, over, sent
from tests.integration.post_office import PostOffice
from tests.integration.second_api import SecondApi
from tests.integration.webhook_receiver import Receiver

OWNER = "anonymous"


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def archive(settings: StoreSettings) -> Archive:
    return Archive(settings)


@pytest.fixture(scope="module")
def url(start_second_api: Callable[..., SecondApi]) -> str:
    return start_second_api(**VARIABLES).url


@pytest.fixture
def api(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=30) as client:
        yield client


def deliver(office: PostOffice) -> None:
    office.clock.seconds = time.time() + 1
    office.work()


def test_a_batchs_webhook_hears_of_its_end_alone_unless_it_asks_for_more(
    api: httpx.Client,
    archive: Archive,
    start_worker: Callable[[], Process],
    office: PostOffice,
    receiver: Receiver,
) -> None:
    start_worker()
    items = archive.put(good={"say": "hello"}, bad={"fail": "corrupt"})
    batch = sent(api, items, webhook={"url": f"{receiver.url}?token=1"})
    over(api, batch)
    deliver(office)

    (call,) = receiver.calls
    told = call.verified(office.secrets.of(OWNER).current)
    assert told["type"] == "batch.completed"
    assert (told["data"]["id"], told["data"]["status"]) == (batch["id"], "completed")
    assert told["data"]["counts"] | {"succeeded": 1, "failed": 1} == told["data"]["counts"]
    assert "token" not in str(api.get(f"/v1/batches/{batch['id']}").json())


def test_job_events_that_a_batchs_webhook_asks_for_are_told_but_for_jobs_with_their_own(
    api: httpx.Client,
    archive: Archive,
    start_worker: Callable[[], Process],
    office: PostOffice,
    receiver: Receiver,
) -> None:
    start_worker()
    items = archive.put(bad={"fail": "corrupt"}, own={"fail": "corrupt"}, good={"say": "hello"})
    items[1]["webhook"] = {"url": f"{receiver.url}/own", "events": ["job.started"]}
    events = ["batch.completed", "job.failed"]
    batch = sent(api, items, webhook={"url": receiver.url, "events": events})
    over(api, batch)
    deliver(office)

    secret = office.secrets.of(OWNER).current
    told = sorted((call.path, call.verified(secret)["type"]) for call in receiver.calls)
    assert told == [
        ("/hook", "batch.completed"),
        ("/hook", "job.failed"),
        ("/hook/own", "job.started"),
    ]


def test_a_canceled_batch_is_told_once(
    api: httpx.Client, archive: Archive, office: PostOffice, receiver: Receiver
) -> None:
    office.endpoint(receiver.url, owner=OWNER, events=("batch.completed",))
    batch = sent(api, archive.put(one={}, two={}))
    for _ in range(2):
        assert api.post(f"/v1/batches/{batch['id']}/cancel").status_code == 202
    deliver(office)

    (call,) = receiver.calls
    assert b'"status": "canceled"' in call.body
