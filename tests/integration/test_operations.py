"""What waits, who works and what was used, through the real API."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import redis

from deploy.local.processes import Process
from jobs.indexes import PACE, queued_key, usage_key
from jobs.job import Job
from jobs.leases import Leases
from jobs.options import JobOptions, Priority
from jobs.store import JobStore
from jobs.workers import Gpu, WorkerRegistry, WorkerStatus
from tests.jobs_made import a_job

STARTED = datetime(2026, 11, 22, 12, tzinfo=UTC)
Answer = dict[str, Any]


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


def waiting(store: JobStore, queue: Priority, *, total_bytes: int | None, owner: str = "a") -> Job:
    job = a_job(owner=owner, options=JobOptions(priority=queue))
    job = job.model_copy(update={"media": job.media.model_copy(update={"bytes": total_bytes})})
    store.add(job)
    return job


def worker(name: str, *, at_once: int = 1, jobs: tuple[str, ...] = ()) -> WorkerStatus:
    return WorkerStatus(
        name=name,
        device="cpu",
        compute_type="int8",
        started_at=STARTED,
        jobs_at_once=at_once,
        jobs=jobs,
    )


def queues(api: httpx.Client) -> dict[str, Answer]:
    return {queue["name"]: queue for queue in api.get("/v1/queue").json()["queues"]}


def test_nothing_waits_in_an_empty_service(api: httpx.Client) -> None:
    answer = api.get("/v1/queue").json()

    assert [queue.pop("name") for queue in answer["queues"]] == ["interactive", "normal", "batch"]
    for queue in answer["queues"]:
        assert queue == {
            "depth": 0,
            "oldest_age_seconds": None,
            "media_bytes": 0,
            "audio_seconds_ahead": 0.0,
            "eta_seconds": None,
        }
    assert (answer["running"], answer["workers"], answer["slots"]) == (0, 0, 0)


def test_what_waits_is_estimated_by_what_was_done(
    api: httpx.Client, store: JobStore, valkey: "redis.Redis", leases: Leases
) -> None:
    done = {"jobs": 4, "media_bytes": 4000, "audio_seconds": 400, "processing_seconds": 80}
    for field, count in done.items():
        valkey.hset(PACE, field, str(count))
    for name, at_once in (("a", 1), ("b", 3)):
        WorkerRegistry(valkey).report(worker(name, at_once=at_once))
    waiting(store, Priority.INTERACTIVE, total_bytes=100)
    for total_bytes in (600, 400, None):
        waiting(store, Priority.BATCH, total_bytes=total_bytes)

    answer = api.get("/v1/queue").json()
    found = {queue["name"]: queue for queue in answer["queues"]}

    assert (answer["workers"], answer["slots"]) == (2, 4)
    assert [found[name]["depth"] for name in found] == [1, 0, 3]
    assert [found[name]["media_bytes"] for name in found] == [100, 0, 1000]
    # A byte is 0.1 s of sound and 0.02 s of work, a job without a size as long as the others.
    assert [found[name]["audio_seconds_ahead"] for name in found] == [10.0, 10.0, 210.0]
    assert [found[name]["eta_seconds"] for name in found] == [0.5, 0.5, 10.5]


def test_of_what_nothing_is_known_nothing_is_guessed(api: httpx.Client, store: JobStore) -> None:
    waiting(store, Priority.NORMAL, total_bytes=100)

    found = queues(api)

    assert found["interactive"]["audio_seconds_ahead"] == 0.0
    for name in ("normal", "batch"):
        assert found[name]["audio_seconds_ahead"] is None
        assert found[name]["eta_seconds"] is None


def test_the_oldest_says_how_long_it_waits(
    api: httpx.Client, store: JobStore, valkey: "redis.Redis"
) -> None:
    old = waiting(store, Priority.BATCH, total_bytes=1)
    waiting(store, Priority.BATCH, total_bytes=1)
    valkey.zadd(queued_key(Priority.BATCH), {old.id: store.now() - 500})

    assert 500 <= queues(api)["batch"]["oldest_age_seconds"] < 600


def test_a_running_job_does_not_wait(
    api: httpx.Client,
    start_worker: Callable[[], Process],
    submit: Callable[..., Answer],
    store: JobStore,
) -> None:
    start_worker()
    job_id = submit({"seconds": 20})["id"]
    api.get(f"/v1/jobs/{job_id}", params={"wait": 20}, headers={"If-None-Match": '"x"'})
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    while not (busy := [w for w in api.get("/v1/workers").json()["data"] if w["jobs"]]):
        assert datetime.now(UTC) < deadline

    answer = api.get("/v1/queue").json()

    assert answer["running"] == 1
    assert [queue["depth"] for queue in answer["queues"]] == [0, 0, 0]
    assert [queue["media_bytes"] for queue in answer["queues"]] == [0, 0, 0]
    (shown,) = busy
    assert (shown["state"], shown["running"], shown["jobs"]) == ("busy", 1, [job_id])
    assert (shown["device"], shown["gpu"], shown["slots"]) == ("cpu", None, 2)
    assert shown["rss_bytes"] > 10_000_000


def test_of_other_owners_jobs_a_worker_tells_only_how_many(
    api: httpx.Client, store: JobStore, valkey: "redis.Redis"
) -> None:
    mine = waiting(store, Priority.NORMAL, total_bytes=1, owner="anonymous")
    theirs = waiting(store, Priority.NORMAL, total_bytes=1, owner="bob")
    card = Gpu(name="L4", uuid="GPU-1", index=0, vram_used_bytes=5, vram_total_bytes=24)
    both = worker("b", jobs=(theirs.id, mine.id, "job_gone")).model_copy(update={"gpu": card})
    for status in (both, worker("a")):
        WorkerRegistry(valkey).report(status)

    idle, busy = api.get("/v1/workers").json()["data"]

    assert (idle["name"], idle["state"], idle["running"]) == ("a", "idle", 0)
    assert (busy["state"], busy["running"], busy["jobs"]) == ("busy", 3, [mine.id])
    assert busy["gpu"] == card.model_dump()
    assert theirs.id not in api.get("/v1/workers").text


def test_what_ended_is_counted_by_day_and_owner(
    api: httpx.Client,
    start_worker: Callable[[], Process],
    submit: Callable[..., Answer],
    ended: Callable[[str], Answer],
    store: JobStore,
    valkey: "redis.Redis",
) -> None:
    start_worker()
    done = [ended(submit({})["id"]), ended(submit({"fail": "corrupt"})["id"])]
    api.delete(f"/v1/jobs/{done[0]['id']}").raise_for_status()
    store.update(waiting(store, Priority.NORMAL, total_bytes=9, owner="bob").id, Job.canceled)
    today = datetime.now(UTC).date()
    before = today - timedelta(days=3)
    for field, count in (("succeeded", "2"), ("audio_seconds", "10.5"), ("media_bytes", "7")):
        valkey.hset(usage_key("anonymous", before.isoformat()), field, count)

    answer = api.get("/v1/usage", params={"from": before.isoformat(), "to": today.isoformat()})

    days, total = answer.json()["days"], answer.json()["total"]
    assert [day["date"] for day in days] == [
        (before + timedelta(days=n)).isoformat() for n in range(4)
    ]
    assert (days[0]["succeeded"], days[0]["audio_seconds"], days[1]["succeeded"]) == (2, 10.5, 0)
    assert (days[3]["succeeded"], days[3]["failed"], days[3]["canceled"]) == (1, 1, 0)
    assert total["media_bytes"] == 7 + sum(job["media"]["bytes"] for job in done)
    assert total["audio_seconds"] == 10.5 + 1.0 + 1.0
    assert (total["succeeded"], total["failed"], total["canceled"]) == (3, 1, 0)
    usual = api.get("/v1/usage").json()
    assert (len(usual["days"]), usual["total"]) == (30, total)


@pytest.mark.parametrize(
    "asked",
    [
        {"from": "2026-02-02", "to": "2026-02-01"},
        {"from": "2025-01-01", "to": "2026-01-02"},
        {"from": "9999-01-01"},
        {"from": "20260101"},
        {"from": "2026-02-30"},
        {"from": "yesterday"},
        {"to": "2026-01-01T00:00:00"},
        {"since": "2026-01-01"},
    ],
)
def test_a_stretch_of_days_that_makes_no_sense_is_refused(
    api: httpx.Client, asked: dict[str, str]
) -> None:
    answer = api.get("/v1/usage", params=asked)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_year_of_days_is_answered(api: httpx.Client) -> None:
    for asked in ({"from": "2025-01-01", "to": "2026-01-01"}, {"to": "0001-01-01"}):
        assert api.get("/v1/usage", params=asked).status_code == 200
