"""What was accepted is never lost, and what breaks off is never taken for whole."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis

from deploy.local.processes import Process
from deploy.local.stack import Stack
from jobs import batch_work as work_module
from jobs import s3_client as s3
from jobs.batch import Batch
from jobs.batch_records import batch_key, read
from jobs.batch_work import ACCEPTING_SECONDS, BatchWork, batch_work
from jobs.batches import Batches
from jobs.indexes import batch_counts_key, index_key
from jobs.job import Job
from jobs.redis_client import texts
from jobs.request_errors import BatchPurged, QueueFull
from jobs.settings import StoreSettings
from jobs.source import UploadSource
from jobs.status import JobStatus
from jobs.store import JobStore
from tests.integration.batches_sent import VARIABLES, Archive, made, over, sent, urls
from tests.integration.cutting_proxy import CuttingProxy
from tests.integration.second_api import SecondApi

MANY = 4000  # so many that a batch can be caught half written


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def archive(settings: StoreSettings) -> Archive:
    return Archive(settings)


@pytest.fixture
def batches(valkey: "redis.Redis", store: JobStore) -> Batches:
    return Batches(valkey, store)


@pytest.fixture
def work(valkey: "redis.Redis", store: JobStore, settings: StoreSettings) -> BatchWork:
    return batch_work(valkey, store, s3.connect(settings), settings.s3_bucket)


def half_accepted(work: BatchWork, *, age_seconds: float) -> tuple[Batch, list[Job]]:
    """Return a batch of three whose request died after the first job."""
    batch, jobs = made(3)
    batch = batch.model_copy(
        update={"created_at": batch.created_at - timedelta(seconds=age_seconds)}
    )
    work.add(batch, jobs, max_queued=10, name=None)
    work._bulk.add(jobs[:1], also=lambda pipe, new: None)
    return batch, jobs


def test_a_batch_whose_api_was_killed_while_it_took_it_in_is_finished_from_its_manifest(
    start_second_api: Callable[..., SecondApi],
    work: BatchWork,
    batches: Batches,
    store: JobStore,
    valkey: "redis.Redis",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = start_second_api(**VARIABLES)

    def send() -> None:
        with suppress(httpx.TransportError):
            httpx.post(f"{api.url}/v1/batches", json=urls(MANY), timeout=60)

    sending = threading.Thread(target=send)
    sending.start()
    queued = index_key("anonymous", "status", JobStatus.QUEUED)
    SecondApi.wait_until(lambda: valkey.zcard(queued) > 0)
    master = psutil.Process(api.process.pid)
    for process in (master, *master.children(recursive=True)):
        process.kill()
    sending.join()

    (counted,) = batches.page("anonymous", limit=10)
    assert 0 < counted.counts.queued < MANY
    assert counted.batch.status == "accepting"
    monkeypatch.setattr(work_module, "ACCEPTING_SECONDS", 0.0)
    work.make_round(seconds=60)
    found = batches.find(counted.batch.id, "anonymous")
    assert (found.batch.status, found.counts.queued) == ("running", MANY)
    jobs = store.get_many(batches.job_ids(found.batch, limit=MANY))
    named = [job.media.filename for job in jobs]
    assert named == [f"{number}.mp3" for number in range(MANY)]
    assert store.queued_of("anonymous") == MANY
    assert valkey.keys("whisperline:batches_promised:*") == []


def test_a_batch_is_left_to_its_request_until_that_must_be_dead(
    work: BatchWork, batches: Batches
) -> None:
    young, _ = half_accepted(work, age_seconds=0)
    old, _ = half_accepted(work, age_seconds=ACCEPTING_SECONDS + 1)

    work.make_round(seconds=60)

    assert batches.find(young.id, young.owner).counts.queued == 1
    assert batches.find(old.id, old.owner).counts.queued == 3


def test_jobs_deleted_while_the_rest_is_written_down_do_not_come_back(
    work: BatchWork, batches: Batches, store: JobStore
) -> None:
    batch, jobs = half_accepted(work, age_seconds=ACCEPTING_SECONDS + 1)
    store.purge(jobs[0].id)

    work.make_round(seconds=60)

    counts = batches.find(batch.id, batch.owner).counts
    assert (counts.queued, counts.deleted) == (2, 1)


def test_a_batch_deleted_before_it_was_taken_in_leaves_nothing(
    work: BatchWork, batches: Batches, valkey: "redis.Redis", archive: Archive
) -> None:
    batch, jobs = half_accepted(work, age_seconds=ACCEPTING_SECONDS + 1)
    batches.delete(batch)

    work.make_round(seconds=60)

    with pytest.raises(BatchPurged):
        batches.find(batch.id, batch.owner)
    keys = texts(valkey.scan_iter("*", count=10_000))
    assert [key for key in keys if batch.id in key and "purged" not in key] == []
    assert not any(f"whisperline:job:{job.id}" in keys for job in jobs)
    assert valkey.keys("whisperline:batches_promised:*") == []
    assert archive.objects(f"batches/{batch.id}/") == []


def test_a_batch_is_not_over_before_all_of_it_was_written_down(
    work: BatchWork, batches: Batches, store: JobStore
) -> None:
    batch, jobs = half_accepted(work, age_seconds=0)
    store.update(jobs[0].id, Job.canceled)

    work.make_round()

    counted = batches.find(batch.id, batch.owner)
    assert (counted.counts.canceled, counted.counts.deleted) == (1, 0)
    assert (counted.batch.status, counted.batch.completed_at) == ("accepting", None)


def test_two_that_write_the_same_batch_down_write_each_job_once(
    work: BatchWork, batches: Batches, store: JobStore, valkey: "redis.Redis"
) -> None:
    batch, jobs = made(1000)
    work.add(batch, jobs, max_queued=1000, name=None)
    both = [
        threading.Thread(target=work.write_down, args=(batch, jobs), kwargs={"seconds": 60})
        for _ in range(2)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()

    assert batches.find(batch.id, batch.owner).counts.queued == 1000
    assert store.queued_of(batch.owner) == 1000
    assert valkey.hgetall(batch_counts_key(batch.id)) == {"queued": "1000"}
    assert valkey.get("whisperline:queued_bytes:batch") == str(1000 * (jobs[0].media.bytes or 0))
    assert valkey.keys("whisperline:batches_promised:*") == []


def test_of_batches_that_come_at_once_no_more_get_in_than_there_is_room_for(
    work: BatchWork, batches: Batches
) -> None:
    taken: list[str] = []

    def add() -> None:
        batch, jobs = made(10)
        with suppress(QueueFull):
            work.add(batch, jobs, max_queued=35, name=None)
            taken.append(batch.id)  # promised only: not one job of it is written down

    threads = [threading.Thread(target=add) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == 3
    assert len(batches.page("anonymous", limit=100)) == 3


def test_a_job_whose_upload_is_gone_meanwhile_fails_instead_of_being_missing(
    work: BatchWork, batches: Batches, store: JobStore
) -> None:
    batch, jobs = made(2)
    gone = UploadSource(type="upload", upload_id=f"upl_{'0' * 32}")
    jobs[0] = jobs[0].model_copy(update={"source": gone})
    work.add(batch, jobs, max_queued=10, name=None)
    work.write_down(batch, jobs, seconds=60)

    failure = store.get(jobs[0].id).failure
    assert failure is not None
    assert failure.code == "fetch_failed"
    assert "upload" in failure.message
    assert batches.find(batch.id, batch.owner).counts.queued == 1


def test_a_batch_without_its_manifest_keeps_no_other_from_the_housekeeper(
    work: BatchWork, batches: Batches, archive: Archive
) -> None:
    broken, _ = half_accepted(work, age_seconds=ACCEPTING_SECONDS + 2)
    sound, _ = half_accepted(work, age_seconds=ACCEPTING_SECONDS + 1)
    archive.client.delete_object(Bucket=archive.bucket, Key=f"batches/{broken.id}/jobs.jsonl")

    work.make_round(seconds=60)

    assert batches.find(sound.id, sound.owner).counts.queued == 3
    assert batches.find(broken.id, broken.owner).counts.queued == 1


@pytest.fixture
def cut(
    stack: Stack, start_second_api: Callable[..., SecondApi]
) -> Iterator[tuple[httpx.Client, CuttingProxy, Path]]:
    """An API whose way to storage can be cut."""
    proxy = CuttingProxy(stack.ports.s3)
    second = start_second_api(**VARIABLES, S3_ENDPOINT_URL=proxy.url)
    with httpx.Client(base_url=second.url, timeout=60) as client:
        yield client, proxy, second.process.log
    proxy.close()


@pytest.mark.parametrize("format_name", [None, "txt"])
def test_results_that_storage_breaks_off_are_never_taken_for_whole(
    cut: tuple[httpx.Client, CuttingProxy, Path],
    archive: Archive,
    start_worker: Callable[..., Process],
    format_name: str | None,
) -> None:
    api, proxy, log = cut
    start_worker()
    long = {f"long{n}": {"transcript": {"text": "word " * 40_000}} for n in range(12)}
    batch = sent(api, archive.put(**long))
    assert over(api, batch)["counts"]["succeeded"] == 12
    proxy.most_bytes = 500_000  # of each connection: some transcripts come, others do not
    asked: dict[str, Any] = {"params": {"format": format_name} if format_name else {}}
    received = bytearray()

    def read_all(answer: httpx.Response) -> None:
        for piece in answer.iter_bytes():
            received.extend(piece)

    broken_off = pytest.raises(httpx.RemoteProtocolError)
    with api.stream("GET", f"/v1/batches/{batch['id']}/results", **asked) as answer, broken_off:
        read_all(answer)

    assert answer.status_code == 200
    assert f"results of {batch['id']} broke off" in log.read_text()
    assert "Traceback" not in log.read_text()
    proxy.most_bytes = None
    whole = api.get(f"/v1/batches/{batch['id']}/results", **asked)
    assert len(received) < len(whole.content)
    if format_name is None:
        assert [len(json.loads(line)["transcript"]["text"]) for line in whole.iter_lines()] == (
            [200_000] * 12
        )


def test_a_record_reads_as_it_was_written(work: BatchWork, valkey: "redis.Redis") -> None:
    batch, jobs = made(1, tags=("a",), metadata={"n": None})
    work.add(batch, jobs, max_queued=1, name=None)

    assert read(valkey.get(batch_key(batch.id))) == batch
