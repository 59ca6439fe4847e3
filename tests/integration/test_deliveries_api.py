"""Trying addresses, and looking at what webhooks were sent, over HTTP."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import redis

from jobs.deliveries import Deliveries
from jobs.delivery import Delivery, DeliveryAttempt, DeliveryStatus
from jobs.event import Event
from jobs.job import Job
from jobs.key_files import hash_of
from jobs.lanes import Lanes
from jobs.options import JobOptions
from jobs.queue import WEBHOOKS
from jobs.store import JobStore
from jobs.webhook import EventType, Webhook
from tests.integration.second_api import SecondApi
from tests.jobs_made import a_job

BOB = "wl_bobskey_000000000000000000000000000"
ANN = "wl_annskey_000000000000000000000000000"
URL = "http://localhost:9/hook"  # a name, so it is taken in; nobody would be called there
WITH_TOKEN = f"{URL}?token=hunter2"
UNKNOWN = "dlv_" + "0" * 32

Answer = dict[str, Any]


@pytest.fixture
def deliveries(valkey: "redis.Redis") -> Deliveries:
    return Deliveries(valkey, Lanes(valkey))


@pytest.fixture
def endpoint(api: httpx.Client, valkey: "redis.Redis") -> Answer:
    made: Answer = api.post("/v1/webhooks", json={"url": WITH_TOKEN}).json()
    return made


@pytest.fixture
def told(store: JobStore) -> Job:
    """A job with a webhook of its own, which nobody works on."""
    job = a_job(options=JobOptions(webhook=Webhook(url=WITH_TOKEN)))
    store.add(job)
    return job


@pytest.fixture(scope="module")
def clients(
    start_second_api: Callable[..., SecondApi],
) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Two owners."""
    api = start_second_api(API_KEYS=f"ann:{hash_of(ANN)},bob:{hash_of(BOB)}")

    def client(key: str) -> httpx.Client:
        return httpx.Client(base_url=api.url, timeout=30, headers={"X-API-Key": key})

    with client(ANN) as ann, client(BOB) as bob:
        yield ann, bob


def tried(api: httpx.Client, endpoint: Answer) -> Answer:
    answer = api.post(f"/v1/webhooks/{endpoint['id']}/test")
    assert answer.status_code == 202, answer.text
    delivery: Answer = answer.json()
    assert answer.headers["location"] == f"/v1/webhooks/deliveries/{delivery['id']}"
    return delivery


def ended(deliveries: Deliveries, delivery_id: str, *, status: int) -> None:
    """End a delivery as a courier does."""
    attempt = DeliveryAttempt(at=datetime.now(UTC), seconds=0.2, status=status, answer="busy")
    outcome = DeliveryStatus.DELIVERED if status == 200 else DeliveryStatus.FAILED

    def attempted(delivery: Delivery) -> Delivery:
        return delivery.attempted(attempt, outcome, None)

    assert deliveries.claim(delivery_id) is not None
    deliveries.finish(delivery_id, attempted, attempt=attempt)


# ---- tests


def test_an_endpoint_is_tried_whichever_events_it_wants(
    api: httpx.Client, endpoint: Answer
) -> None:
    delivery = tried(api, endpoint)

    assert (delivery["type"], delivery["status"]) == ("webhook.test", "pending")
    assert (delivery["endpoint_id"], delivery["job_id"]) == (endpoint["id"], None)
    assert delivery["event_id"].startswith("evt_")
    read = api.get(delivery["links"]["self"]).json()
    assert read["log"] == []
    body = json.loads(read["body"])
    assert body["type"] == "webhook.test"
    assert "nothing has happened" in body["data"]["message"]
    assert {name: read[name] for name in delivery} == delivery
    assert "hunter2" not in json.dumps(read)


def test_any_address_is_tried_unless_it_must_not_be_called(
    api: httpx.Client, valkey: "redis.Redis", deliveries: Deliveries
) -> None:
    answer = api.post("/v1/webhooks/test", json={"url": WITH_TOKEN})

    assert answer.status_code == 202
    assert (answer.json()["endpoint_id"], answer.json()["url"]) == (None, URL)
    assert deliveries.get(answer.json()["id"]).url == WITH_TOKEN
    for url, code in (("http://10.0.0.1/", "webhook_blocked"), ("ftp://a.b/", "invalid_options")):
        refused = api.post("/v1/webhooks/test", json={"url": url})
        assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert deliveries.pending() == 1


def test_nothing_is_promised_to_a_disabled_endpoint(
    api: httpx.Client, endpoint: Answer, deliveries: Deliveries
) -> None:
    delivery = tried(api, endpoint)
    ended(deliveries, delivery["id"], status=500)
    path = f"/v1/webhooks/{endpoint['id']}"
    api.patch(path, json={"status": "disabled"})

    for call in (f"{path}/test", f"/v1/webhooks/deliveries/{delivery['id']}/replay"):
        answer = api.post(call)
        assert (answer.status_code, answer.json()["code"]) == (409, "webhook_disabled"), call
    api.delete(path)
    answer = api.post(f"/v1/webhooks/deliveries/{delivery['id']}/replay")
    assert (answer.status_code, answer.json()["code"]) == (404, "webhook_not_found")
    assert deliveries.pending() == 0


# ---- the log


def test_each_attempt_is_shown_with_how_it_was_answered(
    api: httpx.Client, endpoint: Answer, deliveries: Deliveries
) -> None:
    delivery = tried(api, endpoint)
    ended(deliveries, delivery["id"], status=503)

    read = api.get(f"/v1/webhooks/deliveries/{delivery['id']}").json()

    assert (read["status"], read["attempts"], read["last_status"]) == ("failed", 1, 503)
    (attempt,) = read["log"]
    assert attempt.keys() == {"at", "seconds", "status", "answer", "error"}
    assert (attempt["seconds"], attempt["answer"], attempt["error"]) == (0.2, "busy", None)


def test_what_an_endpoint_was_sent_is_listed_in_pages_newest_first(
    api: httpx.Client, endpoint: Answer, deliveries: Deliveries
) -> None:
    sent = [tried(api, endpoint)["id"] for _ in range(5)]
    ended(deliveries, sent[1], status=200)
    path = f"/v1/webhooks/{endpoint['id']}/deliveries"

    seen, cursor = [], None
    while True:
        page = api.get(path, params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        assert page["has_more"] == (page["next_cursor"] is not None)
        seen += [delivery["id"] for delivery in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(sent, reverse=True)
    (arrived,) = api.get(path, params={"status": "delivered"}).json()["data"]
    assert (arrived["id"], arrived["last_status"]) == (sent[1], 200)
    assert "body" not in arrived
    for wrong in ({"limit": 0}, {"limit": 101}, {"status": "lost"}, {"cursor": "x"}, {"page": 2}):
        assert api.get(path, params=wrong).status_code == 422, wrong


def test_a_replay_goes_out_with_the_same_event(
    api: httpx.Client, endpoint: Answer, deliveries: Deliveries
) -> None:
    delivery = tried(api, endpoint)
    ended(deliveries, delivery["id"], status=500)

    answer = api.post(f"/v1/webhooks/deliveries/{delivery['id']}/replay")

    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/webhooks/deliveries/{delivery['id']}"
    again = answer.json()
    assert (again["status"], again["attempts"]) == ("pending", 1)
    assert again["event_id"] == delivery["event_id"]
    assert deliveries.pending() == 1


def test_what_waits_for_a_paused_endpoint_goes_when_its_owner_enables_it(
    api: httpx.Client, endpoint: Answer, deliveries: Deliveries, valkey: "redis.Redis"
) -> None:
    delivery = tried(api, endpoint)
    assert deliveries.claim(delivery["id"]) is not None
    later = datetime.now(UTC) + timedelta(hours=1)
    deliveries.finish(delivery["id"], lambda one: one.postponed(later))
    path = f"/v1/webhooks/{endpoint['id']}"

    api.patch(path, json={"description": "the shop"})
    assert Lanes(valkey).next(WEBHOOKS, "localhost:9", window=1) == []
    api.patch(path, json={"status": "active"})
    assert Lanes(valkey).next(WEBHOOKS, "localhost:9", window=1) == [delivery["id"]]


def test_another_owners_deliveries_are_not_there(
    clients: tuple[httpx.Client, httpx.Client], valkey: "redis.Redis"
) -> None:
    ann, bob = clients
    endpoint = ann.post("/v1/webhooks", json={"url": URL}).json()
    delivery = tried(ann, endpoint)

    for method, path, code in (
        ("GET", f"/v1/webhooks/deliveries/{delivery['id']}", "delivery_not_found"),
        ("POST", f"/v1/webhooks/deliveries/{delivery['id']}/replay", "delivery_not_found"),
        ("GET", f"/v1/webhooks/deliveries/{UNKNOWN}", "delivery_not_found"),
        ("GET", f"/v1/webhooks/{endpoint['id']}/deliveries", "webhook_not_found"),
        ("POST", f"/v1/webhooks/{endpoint['id']}/test", "webhook_not_found"),
    ):
        answer = bob.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (404, code), path
    assert ann.get(f"/v1/webhooks/deliveries/{delivery['id']}").status_code == 200


# ---- of a job


def test_a_jobs_own_deliveries_are_listed_newest_first(
    api: httpx.Client, told: Job, deliveries: Deliveries
) -> None:
    started = Event.of_job(told, EventType.JOB_STARTED)
    first = deliveries.start(started, url=WITH_TOKEN, endpoint_id=None)
    ended(deliveries, first.id, status=200)
    failed = Event.of_job(told, EventType.JOB_FAILED)
    second = deliveries.start(failed, url=WITH_TOKEN, endpoint_id=None)

    listed = api.get(f"/v1/jobs/{told.id}/deliveries").json()
    assert [each["id"] for each in listed["data"]] == [second.id, first.id]
    assert listed["data"][0]["job_id"] == told.id
    assert "hunter2" not in json.dumps(listed)


def test_a_job_that_is_asked_for_by_itself_shows_its_last_delivery(
    api: httpx.Client, told: Job, deliveries: Deliveries
) -> None:
    path = f"/v1/jobs/{told.id}"
    assert api.get(path).json()["webhook"]["last_delivery"] is None
    event = Event.of_job(told, EventType.JOB_FAILED)
    delivery = deliveries.start(event, url=WITH_TOKEN, endpoint_id=None)
    ended(deliveries, delivery.id, status=500)

    assert api.get(path).json()["webhook"]["last_delivery"] == {
        "id": delivery.id,
        "status": "failed",
        "attempts": 1,
        "last_status": 500,
    }
    (in_list,) = api.get("/v1/jobs").json()["data"]
    assert in_list["webhook"]["last_delivery"] is None
    assert "hunter2" not in json.dumps(in_list)


def test_a_job_without_a_webhook_was_sent_nothing_and_an_unknown_one_is_404(
    api: httpx.Client, store: JobStore
) -> None:
    job = a_job()
    store.add(job)

    assert api.get(f"/v1/jobs/{job.id}/deliveries").json() == {
        "data": [],
        "next_cursor": None,
        "has_more": False,
    }
    assert api.get("/v1/jobs/job_x/deliveries").status_code == 404
