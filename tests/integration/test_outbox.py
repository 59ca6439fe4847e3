"""What happens to a job is written down in the step that makes it happen, for those who listen."""

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import redis

from jobs import outbox
from jobs.attempt import Lease, Outcome
from jobs.job import Job
from jobs.leases import Leases
from jobs.options import JobOptions
from jobs.outbox import OUTBOX, OUTBOX_DROPPED, endpoints_key
from jobs.redis_client import texts
from jobs.stages import Stage
from jobs.store import JobStore
from jobs.webhook import PROGRESS_SECONDS, EventType, Webhook
from tests.jobs_made import a_job

LEASE = Lease(token="t", worker="w")
OUTCOME = Outcome(language="en", language_confidence=None, warnings=(), stages=())


def told(valkey: "redis.Redis") -> list[dict[str, Any]]:
    return [json.loads(row) for row in texts(valkey.lrange(OUTBOX, 0, -1))]


def types(valkey: "redis.Redis") -> list[str]:
    return [event["type"] for event in told(valkey)]


def listened_to(events: tuple[EventType, ...]) -> Job:
    webhook = Webhook(url="https://example.org/hook", events=events)
    return a_job(owner="ann", options=JobOptions(webhook=webhook))


@pytest.fixture
def _listens(valkey: "redis.Redis") -> None:
    valkey.hset(endpoints_key("ann"), "whk_1", "{}")


@pytest.mark.usefixtures("_listens")
def test_a_job_that_runs_to_its_end_is_two_events(
    store: JobStore, leases: Leases, valkey: "redis.Redis"
) -> None:
    job = a_job(owner="ann")
    store.add(job)
    leases.claim(job.id, LEASE)
    store.update(job.id, lambda now: now.succeeded("t", OUTCOME))

    started, succeeded = told(valkey)
    assert (started["type"], succeeded["type"]) == ("job.started", "job.succeeded")
    assert succeeded["job_id"] == job.id
    assert succeeded["data"]["status"] == "succeeded"
    assert succeeded["data"]["links"]["transcript"] == f"/v1/jobs/{job.id}/transcript"
    assert started["id"] != succeeded["id"]


@pytest.mark.usefixtures("_listens")
def test_a_second_attempt_is_no_second_start_but_a_retry_is(
    store: JobStore, leases: Leases, valkey: "redis.Redis"
) -> None:
    job = a_job(owner="ann")
    store.add(job)
    leases.claim(job.id, LEASE)
    store.update(job.id, lambda now: now.put_back(token="t"))
    leases.claim(job.id, LEASE)
    store.update(job.id, Job.canceled)
    store.update(job.id, Job.retried)
    leases.claim(job.id, LEASE)

    assert types(valkey) == ["job.started", "job.canceled", "job.started"]


@pytest.mark.usefixtures("_listens")
def test_progress_is_told_every_few_seconds_however_often_it_is_written(
    store: JobStore, leases: Leases, valkey: "redis.Redis"
) -> None:
    job = a_job(owner="ann")
    store.add(job)
    leases.claim(job.id, LEASE)
    for tenth in range(1, 6):
        done = partial(Job.progressed, token="t", stage=Stage.DECODE, fraction=tenth / 10)
        store.update(job.id, done)
    assert types(valkey) == ["job.started"]

    def as_if_later(now: Job) -> Job:
        assert now.told_at is not None
        earlier = now.told_at - timedelta(seconds=PROGRESS_SECONDS)
        return now.model_copy(update={"told_at": earlier}).progressed("t", Stage.DECODE, 0.9)

    store.update(job.id, as_if_later)
    assert types(valkey) == ["job.started", "job.progress"]


def test_nothing_is_written_for_owners_who_do_not_listen(
    store: JobStore, leases: Leases, valkey: "redis.Redis"
) -> None:
    job = a_job(owner="bob")
    store.add(job)
    leases.claim(job.id, LEASE)

    assert not valkey.exists(OUTBOX)


def test_a_job_with_a_webhook_tells_what_it_asks_for(
    store: JobStore, leases: Leases, valkey: "redis.Redis"
) -> None:
    job = listened_to((EventType.JOB_FAILED, EventType.JOB_CANCELED))
    store.add(job)
    leases.claim(job.id, LEASE)
    store.update(job.id, Job.canceled)

    (event,) = told(valkey)
    assert event["type"] == "job.canceled"
    assert event["webhook"]["url"] == "https://example.org/hook"


@pytest.mark.usefixtures("_listens")
def test_a_move_that_is_refused_tells_nothing(
    store: JobStore, leases: Leases, valkey: "redis.Redis"
) -> None:
    job = a_job(owner="ann")
    store.add(job)
    store.update(job.id, Job.canceled)
    leases.claim(job.id, LEASE)

    assert types(valkey) == ["job.canceled"]


@pytest.mark.usefixtures("_listens")
def test_an_outbox_that_nobody_empties_is_bounded_and_counts_what_it_drops(
    store: JobStore, valkey: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_EVENTS", 2)
    for _ in range(3):
        job = a_job(owner="ann")
        store.add(job)
        store.update(job.id, Job.canceled)

    assert types(valkey) == ["job.canceled"] * 2
    assert valkey.get(OUTBOX_DROPPED) == "1"


@pytest.mark.usefixtures("_listens")
def test_an_event_holds_nothing_that_was_said_nor_how_to_reach_the_media(
    store: JobStore, valkey: "redis.Redis"
) -> None:
    job = a_job(owner="ann", options=JobOptions(initial_prompt="secret names"))
    store.add(job)
    store.update(job.id, Job.canceled)

    (event,) = told(valkey)
    assert "secret names" not in json.dumps(event)
    assert set(event["data"]) == {
        *("id", "client_id", "batch_id", "status", "stage", "progress", "attempt", "language"),
        *("created_at", "started_at", "finished_at", "external_id", "tags", "metadata"),
        *("media", "error", "links"),
    }
