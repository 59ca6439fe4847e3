"""Whether the service is there, and what it tells of itself."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis

from deploy.local.processes import Process
from deploy.local.servers import free_ports
from jobs.key_files import hash_of
from tests.integration.second_api import SecondApi

StartSecondApi = Callable[..., SecondApi]
StartWorker = Callable[[], Process]
Submit = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


def status_of(api: httpx.Client, job: dict[str, Any]) -> str:
    return str(api.get(f"/v1/jobs/{job['id']}").json()["status"])


def begin(api: httpx.Client, job: dict[str, Any]) -> None:
    """Return when a worker has the job."""
    SecondApi.wait_until(lambda: status_of(api, job) == "running")


def test_health_answers_while_a_job_is_at_work(
    api: httpx.Client, start_worker: StartWorker, submit: Submit
) -> None:
    start_worker()
    job = submit({"say": "hello", "seconds": 60})
    begin(api, job)

    assert api.get("/health").json()["status"] == "healthy"
    assert api.get("/ready").json()["status"] == "ready"
    assert status_of(api, job) == "running"


def test_health_tells_what_is_lacking_and_what_waits(api: httpx.Client, submit: Submit) -> None:
    submit({})

    told = api.get("/health").json()

    assert told["status"] == "degraded"
    assert "no worker" in told["detail"]
    assert (told["device"], told["loaded_models"]) == (None, [])
    assert (told["workers"], told["queued"]) == (0, 1)


@pytest.mark.parametrize(
    ("variable", "part"), [("REDIS_URL", "redis"), ("S3_ENDPOINT_URL", "storage")]
)
def test_without_its_stores_the_service_is_there_but_not_ready(
    start_second_api: StartSecondApi, variable: str, part: str
) -> None:
    (nobody,) = free_ports(1)
    scheme = "redis" if part == "redis" else "http"
    second = start_second_api(**{variable: f"{scheme}://127.0.0.1:{nobody}"})

    ready = httpx.get(f"{second.url}/ready", timeout=30)
    health = httpx.get(f"{second.url}/health", timeout=30)

    assert ready.status_code == 503
    assert int(ready.headers["retry-after"]) > 0
    assert [name for name, told in ready.json()["checks"].items() if told != "ok"] == [part]
    assert (health.status_code, health.json()["status"]) == (200, "degraded")


def test_queue_metrics_tell_of_queues_and_workers(
    api: httpx.Client, start_worker: StartWorker, submit: Submit
) -> None:
    start_worker()
    begin(api, submit({"seconds": 60}))
    begin(api, submit({"seconds": 60}))
    submit({}, priority="batch")
    submit({}, priority="batch")

    def told() -> dict[str, Any]:
        found: dict[str, Any] = api.get("/queue-metrics").json()
        return found

    assert told()["queues"] == {"interactive": 0, "normal": 0, "batch": 2}
    assert told()["queued"] == 2
    SecondApi.wait_until(lambda: told()["active"] == 2)  # workers say so every few seconds
    (worker,) = told()["workers"]
    assert (worker["device"], worker["active"]) == ("cpu", 2)
    assert told()["loaded_models"] == []


def test_queue_metrics_are_for_owners_and_health_is_for_all(
    start_second_api: StartSecondApi,
) -> None:
    key = "wl_annskey_000000000000000000000000000"
    second = start_second_api(API_KEYS=f"ann:{hash_of(key)}")

    refused = httpx.get(f"{second.url}/queue-metrics")
    answered = httpx.get(f"{second.url}/queue-metrics", headers={"X-API-Key": key})

    assert (refused.status_code, answered.status_code) == (401, 200)
    for path in ("/", "/health", "/ready"):
        assert httpx.get(f"{second.url}{path}").status_code == 200


def test_the_front_page_is_for_browsers_and_json_for_others(api: httpx.Client) -> None:
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    page = api.get("/", headers={"Accept": browser})
    others = api.get("/", headers={"Accept": "*/*"})

    assert page.headers["content-type"].startswith("text/html")
    assert "<title>Whisperline</title>" in page.text
    assert "://" not in page.text  # nothing is loaded from elsewhere
    assert others.json()["status"] == "running"
    assert page.headers["vary"] == others.headers["vary"] == "Accept"
