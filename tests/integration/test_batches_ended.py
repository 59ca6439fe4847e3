"""A batch is over once, whoever ended its last job; and when nothing is left of it, it goes too."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from jobs import s3_client as s3
from jobs.attempt import Lease, Outcome
from jobs.batch import Batch
from jobs.batch_endings import BatchEndings
from jobs.batch_records import OPEN
from jobs.batch_work import BatchWork, batch_work
from jobs.batches import Batches
from jobs.files import JobFiles
from jobs.job import Job
from jobs.leases import Leases
from jobs.options import Priority
from jobs.outbox import OUTBOX
from jobs.redis_client import texts
from jobs.request_errors import BatchPurged
from jobs.settings import StoreSettings
from jobs.status import JobStatus
from jobs.store import JobStore
from jobs.webhook import EventType, Webhook
from tests.integration.batches_sent import Archive, made
from worker.housekeeper import Housekeeper

LEASE = Lease(token="t", worker="w")
OUTCOME = Outcome(language="en", language_confidence=None, warnings=(), stages=())
HOOK = Webhook(url="https://example.org/hook", events=(EventType.BATCH_COMPLETED,))


@pytest.fixture
def archive(settings: StoreSettings) -> Archive:
    return Archive(settings)


@pytest.fixture
def batches(valkey: "redis.Redis", store: JobStore) -> Batches:
    return Batches(valkey, store)


@pytest.fixture
def endings(valkey: "redis.Redis", store: JobStore) -> BatchEndings:
    return BatchEndings(valkey, store)


@pytest.fixture
def work(valkey: "redis.Redis", store: JobStore, settings: StoreSettings) -> BatchWork:
    return batch_work(valkey, store, s3.connect(settings), settings.s3_bucket)


@pytest.fixture
def accepted(work: BatchWork) -> Callable[..., Any]:
    """A function that takes a batch in and returns it with its jobs."""

    def accept(count: int, **fields: Any) -> Any:
        batch, jobs = made(count, **fields)
        work.add(batch, jobs, max_queued=1_000_000, name=None)
        assert work.write_down(batch, jobs, seconds=60)
        return batch, jobs

    return accept


def told(valkey: "redis.Redis") -> list[dict[str, Any]]:
    events = [json.loads(row) for row in texts(valkey.lrange(OUTBOX, 0, -1))]
    return [event for event in events if event["type"] == "batch.completed"]


def canceled(batches: Batches, batch: Batch) -> Batch:
    found = batches.cancel(batch.id)
    assert found is not None
    return found


def succeed(store: JobStore, leases: Leases, job: Job) -> None:
    leases.claim(job.id, LEASE)
    store.update(job.id, lambda now: now.succeeded("t", OUTCOME))


def left(valkey: "redis.Redis", *ids: str) -> set[str]:
    """Return the keys that name one of these ids, but for the signs that they were deleted."""
    keys = texts(valkey.scan_iter("*", count=10_000))
    named = {key for key in keys if any(each in key for each in ids)}
    return {key for key in named if "purged" not in key}


def test_the_last_end_of_many_at_once_completes_the_batch_and_only_one_event_says_so(
    accepted: Callable[..., Any],
    store: JobStore,
    leases: Leases,
    endings: BatchEndings,
    batches: Batches,
    valkey: "redis.Redis",
) -> None:
    batch, jobs = accepted(24, webhook=HOOK, external_id="monday")

    def end(mine: list[Job]) -> None:
        for job in mine:
            succeed(store, leases, job)
            endings.settle(batch.id)

    threads = [threading.Thread(target=end, args=(jobs[n::8],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = batches.find(batch.id, batch.owner)
    (event,) = told(valkey)
    assert found.batch.status == "completed"
    assert event["batch_id"] == batch.id
    assert event["data"]["counts"]["succeeded"] == 24
    assert event["data"]["external_id"] == "monday"
    assert event["data"]["completed_at"] is not None
    assert event["data"]["links"]["results"] == f"/v1/batches/{batch.id}/results"


def test_a_batch_whose_last_worker_died_is_completed_by_the_housekeeper(
    accepted: Callable[..., Any],
    store: JobStore,
    leases: Leases,
    housekeeper: Housekeeper,
    archive: Archive,
    valkey: "redis.Redis",
) -> None:
    batch, jobs = accepted(2, webhook=HOOK)
    for job in jobs:
        succeed(store, leases, job)
    assert told(valkey) == []

    housekeeper.make_round()
    housekeeper.make_round()

    assert len(told(valkey)) == 1
    assert not valkey.sismember(OPEN, batch.id)
    assert json.loads(archive.text(f"batches/{batch.id}/batch.json"))["completed_at"]


def test_a_retried_job_opens_its_batch_which_completes_again_with_a_new_event(
    accepted: Callable[..., Any],
    store: JobStore,
    leases: Leases,
    endings: BatchEndings,
    batches: Batches,
    work: BatchWork,
    valkey: "redis.Redis",
) -> None:
    batch, jobs = accepted(2, webhook=HOOK)
    batches.cancel(batch.id)
    work.cancel(batches.find(batch.id, batch.owner).batch, seconds=60)
    work.make_round()
    at_first = batches.find(batch.id, batch.owner).batch

    endings.retry(jobs[0].id)
    open_again = batches.find(batch.id, batch.owner)
    work.make_round()

    assert at_first.status == "canceled"
    assert open_again.batch.status == "running"
    assert open_again.batch.canceled_at is None
    assert open_again.counts.queued == 1
    assert store.get(jobs[0].id).status is JobStatus.QUEUED  # not canceled a second time
    succeed(store, leases, jobs[0])
    endings.settle(batch.id)
    assert batches.find(batch.id, batch.owner).batch.status == "completed"
    first, second = told(valkey)
    assert first["id"] != second["id"]
    assert second["data"]["counts"]["succeeded"] == 1


def test_canceling_takes_what_waits_and_what_runs_and_leaves_what_is_over(
    accepted: Callable[..., Any],
    store: JobStore,
    leases: Leases,
    batches: Batches,
    work: BatchWork,
    archive: Archive,
    valkey: "redis.Redis",
) -> None:
    batch, jobs = accepted(450)
    succeed(store, leases, jobs[0])
    leases.claim(jobs[1].id, LEASE)
    batch = canceled(batches, batch)

    assert work.cancel(batch, seconds=60)

    found = batches.find(batch.id, batch.owner)
    assert (found.counts.succeeded, found.counts.canceled) == (1, 449)
    assert found.batch.status == "canceled"
    assert store.depth(Priority.BATCH) == 0
    assert valkey.keys("whisperline:ready:*") == []
    assert archive.objects(f"jobs/{jobs[2].id}/") == []
    assert batches.cancel(batch.id) == found.batch  # and a second time changes nothing


def test_what_a_request_has_no_time_for_the_housekeeper_cancels(
    accepted: Callable[..., Any], batches: Batches, work: BatchWork
) -> None:
    batch, _ = accepted(300)
    batch = canceled(batches, batch)
    assert not work.cancel(batch, seconds=0)

    work.make_round(seconds=60)

    assert batches.find(batch.id, batch.owner).counts.canceled == 300


def test_nothing_is_left_of_a_deleted_batch(
    accepted: Callable[..., Any],
    store: JobStore,
    leases: Leases,
    batches: Batches,
    work: BatchWork,
    files: JobFiles,
    archive: Archive,
    valkey: "redis.Redis",
) -> None:
    batch, jobs = accepted(60)
    succeed(store, leases, jobs[0])
    for suffix in (".json", ".srt"):
        files.put_transcript(jobs[0].id, "t", suffix=suffix, content=b"{}", media_type="a/b")
    batches.delete(batch)
    with pytest.raises(BatchPurged):
        batches.find(batch.id, batch.owner)
    assert not work.purge(batch, seconds=0)

    work.make_round(seconds=60)

    assert left(valkey, batch.id, *(job.id for job in jobs)) == set()
    assert valkey.smembers(OPEN) == set()
    assert archive.objects(f"batches/{batch.id}/") == []
    assert archive.objects(f"jobs/{jobs[0].id}/") == []
    assert told(valkey) == []
    with pytest.raises(BatchPurged):
        batches.find(batch.id, batch.owner)


def test_when_its_last_job_expires_a_batch_goes_too(
    accepted: Callable[..., Any],
    store: JobStore,
    leases: Leases,
    endings: BatchEndings,
    batches: Batches,
    housekeeper: Housekeeper,
    archive: Archive,
    valkey: "redis.Redis",
) -> None:
    batch, jobs = accepted(3)
    for job in jobs:
        succeed(store, leases, job)
    endings.settle(batch.id)
    housekeeper.make_round()

    def let_expire(some: list[Job]) -> None:
        past = datetime.now(UTC) - timedelta(days=1)
        for job in some:
            store.update(job.id, lambda now: now.model_copy(update={"expires_at": past}))
        housekeeper.make_round()

    let_expire(jobs[:2])
    assert batches.find(batch.id, batch.owner).counts.deleted == 2
    assert not valkey.sismember(OPEN, batch.id)
    let_expire(jobs[2:])

    assert left(valkey, batch.id) == set()
    assert archive.objects(f"batches/{batch.id}/") == []
    with pytest.raises(BatchPurged):
        batches.find(batch.id, batch.owner)


def test_the_manifest_of_a_batch_that_is_over_names_no_headers(
    work: BatchWork, batches: Batches, archive: Archive
) -> None:
    batch, jobs = made(2, has_headers=True)
    source = {"type": "url", "url": "https://example.com/a", "headers": {"Authorization": "s3cret"}}
    jobs = [Job.model_validate(job.model_dump() | {"source": source}) for job in jobs]
    work.add(batch, jobs, max_queued=10, name=None)
    work.write_down(batch, jobs, seconds=60)
    key = f"batches/{batch.id}/jobs.jsonl"
    assert "s3cret" in archive.text(key)

    work.cancel(canceled(batches, batch), seconds=60)
    work.make_round(seconds=60)

    assert "s3cret" not in archive.text(key)
    assert len(archive.text(key).splitlines()) == 2
