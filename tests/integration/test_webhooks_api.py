"""Endpoints and secrets of webhooks over HTTP, and the webhook of a single job."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import redis

from jobs.endpoints import MOST_ENDPOINTS
from jobs.key_files import hash_of
from jobs.settings import StoreSettings
from jobs.store import JobStore
from tests.integration.second_api import SecondApi
from tests.integration.webhook_ledger import empty_ledger

ANN, BOB = "wl_annskey_000000000000000000000000000", "wl_bobskey_000000000000000000000000000"
URL = "http://localhost:9/hook"  # a name, so it is taken in; nobody would be called there
WITH_TOKEN = f"{URL}?token=hunter2"
UNKNOWN = "whk_" + "0" * 32
SCRIPT = b'{"say": "hello"}'

Answer = dict[str, Any]


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis", settings: StoreSettings) -> None:
    """Every test begins with an empty Valkey and an empty ledger."""
    empty_ledger(settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """One API with keys, entered as two people."""

    api: SecondApi
    ann: httpx.Client
    bob: httpx.Client


@pytest.fixture(scope="module")
def owners(start_second_api: Callable[..., SecondApi]) -> Iterator[Owners]:
    api = start_second_api(API_KEYS=f"ann:{hash_of(ANN)},bob:{hash_of(BOB)}")

    def client(key: str) -> httpx.Client:
        return httpx.Client(base_url=api.url, timeout=30, headers={"X-API-Key": key})

    with client(ANN) as ann, client(BOB) as bob:
        yield Owners(api=api, ann=ann, bob=bob)


def added(api: httpx.Client, **asked: object) -> Answer:
    answer = api.post("/v1/webhooks", json={"url": WITH_TOKEN, **asked})
    assert answer.status_code == 201, answer.text
    found: Answer = answer.json()
    assert answer.headers["location"] == f"/v1/webhooks/{found['id']}"
    assert answer.headers["cache-control"] == "no-store"
    return found


# ---- endpoints


def test_an_endpoint_is_made_with_a_secret_that_is_not_shown_again(api: httpx.Client) -> None:
    made = added(api, description="the shop")

    assert made["id"].startswith("whk_")
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    assert made["events"] == ["job.succeeded", "job.failed", "job.canceled", "batch.completed"]
    assert (made["status"], made["description"]) == ("active", "the shop")
    read, listed = api.get(f"/v1/webhooks/{made['id']}"), api.get("/v1/webhooks")
    assert read.json() == {name: made[name] for name in made if name != "secret"}
    assert listed.json() == {"data": [read.json()], "next_cursor": None, "has_more": False}


def test_the_query_of_an_address_is_kept_but_never_shown(
    api: httpx.Client, valkey: "redis.Redis"
) -> None:
    made = added(api)

    assert made["url"] == URL
    assert "hunter2" not in api.get("/v1/webhooks").text
    (kept,) = valkey.hvals("whisperline:webhooks:anonymous")
    assert json.loads(str(kept))["url"] == WITH_TOKEN


def test_a_client_may_bring_its_own_secret(api: httpx.Client) -> None:
    own = "whsec_" + base64.b64encode(b"x" * 24).decode()

    assert added(api, secret=own)["secret"] == own


@pytest.mark.parametrize(
    ("asked", "code", "pointer"),
    [
        ({}, "invalid_options", "/url"),
        ({"url": "ftp://app.example/hook"}, "invalid_options", "/url"),
        ({"url": "https://ann:hunter2@app.example/"}, "invalid_options", "/url"),
        ({"url": URL, "events": []}, "invalid_options", "/events"),
        ({"url": URL, "events": ["job.exploded"]}, "invalid_options", "/events/0"),
        ({"url": URL, "secret": "whsec_hunter2"}, "invalid_options", "/secret"),
        ({"url": URL, "status": "disabled"}, "invalid_options", "/status"),
        ({"url": "http://127.0.0.1:8080/hook"}, "webhook_blocked", None),
        ({"url": "http://169.254.169.254/hook"}, "webhook_blocked", None),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused(
    api: httpx.Client, asked: Answer, code: str, pointer: str | None
) -> None:
    answer = api.post("/v1/webhooks", json=asked)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert [fault["pointer"] for fault in answer.json().get("errors", [])][:1] == (
        [pointer] if pointer else []
    )
    assert "hunter2" not in answer.text
    assert api.get("/v1/webhooks").json()["data"] == []


def test_one_more_than_the_limit_is_a_conflict_until_one_is_deleted(api: httpx.Client) -> None:
    first, *_ = [added(api) for _ in range(MOST_ENDPOINTS)]

    refused = api.post("/v1/webhooks", json={"url": URL})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_webhooks")
    assert "retry-after" not in refused.headers
    assert api.delete(f"/v1/webhooks/{first['id']}").status_code == 204
    added(api)


def test_a_change_touches_what_it_names(api: httpx.Client) -> None:
    made = added(api, description="the shop")
    path = f"/v1/webhooks/{made['id']}"

    moved = api.patch(path, json={"url": "https://b.example/", "events": ["job.started"]})
    assert moved.status_code == 200
    assert moved.json()["url"] == "https://b.example/"
    assert moved.json()["events"] == ["job.started"]
    assert moved.json()["description"] == "the shop"
    off = api.patch(path, json={"status": "disabled"}).json()
    assert (off["status"], off["reason"]) == ("disabled", "its owner said so")
    on = api.patch(path, json={"status": "active"}).json()
    assert (on["status"], on["reason"]) == ("active", None)
    for wrong in ({"url": "http://10.0.0.1/"}, {"status": "paused"}, {"secret": "x"}):
        assert api.patch(path, json=wrong).status_code == 422, wrong
    assert api.get(path).json() == on


def test_a_deleted_endpoint_is_gone(api: httpx.Client) -> None:
    path = f"/v1/webhooks/{added(api)['id']}"

    assert api.delete(path).status_code == 204
    assert api.delete(path).status_code == 404
    answer = api.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "webhook_not_found")


def test_another_owners_endpoint_is_not_there(owners: Owners) -> None:
    path = f"/v1/webhooks/{added(owners.ann)['id']}"

    assert owners.bob.get("/v1/webhooks").json()["data"] == []
    for method, path_of_it in (
        ("GET", path),
        ("PATCH", path),
        ("DELETE", path),
        ("POST", f"{path}/rotate-secret"),
    ):
        body = {"description": "mine"} if method == "PATCH" else None
        answer = owners.bob.request(method, path_of_it, json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "webhook_not_found"), method
    assert owners.ann.get(path).json()["description"] == ""


# ---- secrets


def test_an_endpoints_secret_is_rotated_and_the_old_one_signs_for_a_day(
    api: httpx.Client,
) -> None:
    made = added(api)

    rotated = api.post(f"/v1/webhooks/{made['id']}/rotate-secret")

    assert rotated.status_code == 200
    assert rotated.headers["cache-control"] == "no-store"
    assert rotated.json()["secret"].startswith("whsec_")
    assert rotated.json()["secret"] != made["secret"]
    until = datetime.fromisoformat(rotated.json()["previous_until"])
    assert timedelta(hours=23) < until - datetime.now(UTC) <= timedelta(hours=24)
    assert made["secret"] not in rotated.text
    assert api.post(f"/v1/webhooks/{UNKNOWN}/rotate-secret").status_code == 404


def test_each_owner_reads_and_rotates_a_secret_of_his_own(owners: Owners) -> None:
    first = owners.ann.get("/v1/webhooks/secret")

    assert first.headers["cache-control"] == "no-store"
    assert first.json()["previous_until"] is None
    assert owners.ann.get("/v1/webhooks/secret").json() == first.json()
    assert owners.bob.get("/v1/webhooks/secret").json()["secret"] != first.json()["secret"]
    rotated = owners.ann.post("/v1/webhooks/rotate-secret")
    assert rotated.headers["cache-control"] == "no-store"
    assert rotated.json() == owners.ann.get("/v1/webhooks/secret").json()
    assert rotated.json()["secret"] != first.json()["secret"]


def test_no_secret_and_no_token_is_in_the_log(owners: Owners) -> None:
    made = added(owners.ann)
    rotated = owners.ann.post(f"/v1/webhooks/{made['id']}/rotate-secret").json()
    own = owners.ann.get("/v1/webhooks/secret").json()
    owners.ann.post("/v1/webhooks", json={"url": WITH_TOKEN, "secret": "whsec_hunter2"})

    log = owners.api.process.log.read_text()
    assert "/v1/webhooks/secret" in log
    for told in (made["secret"], rotated["secret"], own["secret"], "hunter2"):
        assert told not in log


# ---- the webhook of a job


def test_a_job_is_submitted_with_a_webhook_and_shows_no_token(
    api: httpx.Client, store: JobStore
) -> None:
    webhook = {"url": WITH_TOKEN, "events": ["job.succeeded"]}
    file = {"file": ("call.wav", SCRIPT)}
    ways = (
        api.post("/v1/jobs", data={"webhook": json.dumps(webhook)}, files=file),
        api.post("/v1/jobs", data={"options": json.dumps({"webhook": webhook})}, files=file),
        api.post("/v1/jobs", json={"source": {"url": URL}, "webhook": webhook}),
        api.post("/v1/jobs", json={"source": {"url": URL}, "options": {"webhook": webhook}}),
    )

    for answer in ways:
        assert answer.status_code == 202, answer.text
        job = answer.json()
        assert job["webhook"] == {"url": URL, "events": ["job.succeeded"], "last_delivery": None}
        assert job["options"]["webhook"] == {"url": URL, "events": ["job.succeeded"]}
        assert "hunter2" not in api.get(f"/v1/jobs/{job['id']}").text
        kept = store.get(job["id"]).options.webhook
        assert kept is not None
        assert kept.url == WITH_TOKEN
    listed = api.get("/v1/jobs")
    assert "hunter2" not in listed.text
    assert len(listed.json()["data"]) == len(ways)


def test_a_job_with_a_webhook_that_must_not_be_called_is_refused(api: httpx.Client) -> None:
    webhook = {"url": "http://[::1]/hook"}
    for answer in (
        api.post(
            "/v1/jobs",
            data={"webhook": json.dumps(webhook)},
            files={"file": ("call.wav", SCRIPT)},
        ),
        api.post("/v1/jobs", json={"source": {"url": URL}, "webhook": webhook}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "webhook_blocked")
    assert api.get("/v1/jobs").json()["data"] == []
