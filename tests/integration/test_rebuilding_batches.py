"""After Redis lost everything, batches go on, end once, and what was deleted stays so."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis

from jobs import s3_client as s3
from jobs.attempt import Lease
from jobs.batch import Batch, BatchCounts, BatchStatus
from jobs.batch_endings import BatchEndings
from jobs.batch_files import BatchFiles
from jobs.batch_work import BatchWork, batch_work
from jobs.batches import Batches
from jobs.files import JobFiles
from jobs.job import Job
from jobs.leases import Leases
from jobs.ledger import settle
from jobs.request_errors import BatchNotFound
from jobs.restoring import Restorer
from jobs.settings import StoreSettings
from jobs.source import UploadSource
from jobs.store import JobStore
from tests.integration.batches_sent import Archive
from tests.integration.emptied_redis import empty_bucket, rebuilding
from tests.integration.test_batches_ended import (
    HOOK,
    LEASE,
    OUTCOME,
    accepted,
    archive,
    batches,
    endings,
    told,
    work,
)
from worker.housekeeper import Housekeeper

__all__ = ["accepted", "archive", "batches", "endings", "work"]


class Owner:
    """Sends a batch, and does to its jobs what workers and owners do."""

    def __init__(self, client: "redis.Redis", settings: StoreSettings) -> None:
        self.redis = client
        self.settings = settings
        self.s3 = s3.connect(settings)
        self.store = JobStore(client)
        self.leases = Leases(client, self.store)
        self.files = JobFiles(self.s3, settings.s3_bucket)
        self.batch_files = BatchFiles(self.s3, settings.s3_bucket)
        self.work = batch_work(client, self.store, self.s3, settings.s3_bucket)
        self.batches = Batches(client, self.store)
        self.endings = BatchEndings(client, self.store)

    def succeed(self, job: Job) -> None:
        self.leases.claim(job.id, Lease(token="t", worker="w"))
        done = self.store.update(job.id, lambda now: now.succeeded("t", OUTCOME))
        settle(self.store, self.files, done)
        self.endings.settle(job.batch_id)

    def delete(self, job: Job) -> None:
        self.files.purge(job)
        self.endings.look_at(job.batch_id)
        self.store.purge(job.id)
        self.endings.settle(job.batch_id)

    def lose_everything(self) -> None:
        self.redis.flushall()
        assert rebuilding(self.settings, self.redis).reconcile().is_complete

    def counts(self, batch: Batch) -> BatchCounts:
        return self.batches.find(batch.id, batch.owner).counts

    def status(self, batch: Batch) -> BatchStatus:
        return self.batches.find(batch.id, batch.owner).batch.status


@pytest.fixture(autouse=True)
def _nothing_of_other_tests(valkey: "redis.Redis", settings: StoreSettings) -> None:
    empty_bucket(settings)


@pytest.fixture
def owner(valkey: "redis.Redis", settings: StoreSettings) -> Owner:
    return Owner(valkey, settings)


Accept = Callable[..., tuple[Batch, list[Job]]]


def test_a_batch_goes_on_where_it_was_and_tells_its_end_once(
    accepted: Accept, owner: Owner, housekeeper: Housekeeper
) -> None:
    batch, jobs = accepted(250, webhook=HOOK)
    for job in jobs[:5]:
        owner.succeed(job)
    owner.delete(jobs[5])
    owner.leases.claim(jobs[6].id, LEASE)

    owner.lose_everything()

    assert owner.counts(batch) == BatchCounts(queued=244, succeeded=5, deleted=1)
    assert owner.batches.find(batch.id, batch.owner).batch == batch.accepted()
    assert told(owner.redis) == []
    for job in jobs[6:]:
        owner.succeed(job)
    housekeeper.make_round()
    (event,) = told(owner.redis)
    assert event["data"]["id"] == batch.id

    owner.lose_everything()
    housekeeper.make_round()

    assert owner.counts(batch) == BatchCounts(succeeded=249, deleted=1)
    assert owner.status(batch) is BatchStatus.COMPLETED
    assert told(owner.redis) == []


def test_a_batch_is_not_called_over_before_all_its_ends_are_written_down(
    accepted: Accept, owner: Owner, housekeeper: Housekeeper
) -> None:
    batch, jobs = accepted(3)
    for job in jobs:
        owner.leases.claim(job.id, LEASE)
        owner.store.update(job.id, lambda now: now.succeeded("t", OUTCOME))  # and then it died
    owner.endings.settle(batch.id)
    housekeeper.make_round()

    owner.lose_everything()

    assert owner.counts(batch) == BatchCounts(succeeded=3)


def test_what_was_deleted_after_the_end_of_its_batch_stays_deleted(
    accepted: Accept, owner: Owner, housekeeper: Housekeeper
) -> None:
    batch, jobs = accepted(3)
    for job in jobs:
        owner.succeed(job)
    housekeeper.make_round()
    owner.delete(jobs[0])

    owner.lose_everything()

    assert owner.counts(batch) == BatchCounts(succeeded=2, deleted=1)
    assert owner.store.known([jobs[0].id]) == set()


def test_a_job_that_was_retried_after_the_end_of_its_batch_opens_it_again(
    accepted: Accept, owner: Owner, housekeeper: Housekeeper
) -> None:
    batch, (job, other) = accepted(2)
    owner.succeed(other)
    settle(owner.store, owner.files, owner.store.update(job.id, Job.canceled))
    owner.endings.settle(batch.id)
    housekeeper.make_round()
    settle(owner.store, owner.files, owner.endings.retry(job.id))

    owner.lose_everything()

    assert owner.counts(batch) == BatchCounts(queued=1, succeeded=1)
    assert owner.status(batch) is BatchStatus.RUNNING


def test_a_batch_that_was_withdrawn_is_withdrawn_to_its_end(
    accepted: Accept, owner: Owner, housekeeper: Housekeeper
) -> None:
    batch, jobs = accepted(5, webhook=HOOK)
    owner.succeed(jobs[0])
    canceled = owner.batches.cancel(batch.id)
    assert canceled is not None
    owner.work.bring_up_to_date(canceled)  # and then it died, before it canceled any job

    owner.lose_everything()
    housekeeper.make_round()
    housekeeper.make_round()

    assert owner.counts(batch) == BatchCounts(succeeded=1, canceled=4)
    assert len(told(owner.redis)) == 1
    owner.lose_everything()
    assert owner.counts(batch) == BatchCounts(succeeded=1, canceled=4)
    assert owner.status(batch) is BatchStatus.CANCELED


def test_a_batch_that_was_half_deleted_is_deleted_to_its_end(
    accepted: Accept, owner: Owner, housekeeper: Housekeeper, archive: Archive
) -> None:
    batch, jobs = accepted(5)
    owner.succeed(jobs[0])
    owner.batches.delete(batch)
    assert not owner.work.purge(batch, seconds=-1), "it had no time for any of them"

    owner.lose_everything()
    housekeeper.make_round()

    assert archive.objects(f"batches/{batch.id}/") == []
    assert archive.objects(f"jobs/{jobs[0].id}/") == []
    assert owner.store.get_many([job.id for job in jobs]) == []
    owner.lose_everything()
    assert owner.store.get_many([job.id for job in jobs]) == []
    with pytest.raises(BatchNotFound):
        owner.batches.find(batch.id, batch.owner)


def test_no_job_of_a_deleted_batch_comes_back_even_for_a_moment(
    accepted: Accept, owner: Owner, archive: Archive
) -> None:
    batch, (job,) = accepted(1)
    owner.succeed(job)
    assert not owner.work.purge(batch, seconds=-1)
    owner.redis.flushall()

    restorer = Restorer(owner.store, owner.files, owner.batch_files)

    assert restorer.restore([job.id], settled_seconds=0) == 0
    assert archive.objects(f"jobs/{job.id}/") == []


def test_a_batch_of_uploads_keeps_them(owner: Owner, work: BatchWork, accepted: Accept) -> None:
    batch, jobs = accepted(1)
    source = UploadSource(type="upload", upload_id="upl_" + "0" * 32)
    owner.batch_files.write(batch, [jobs[0].model_copy(update={"source": source})])

    owner.lose_everything()

    assert owner.store.get(jobs[0].id).status == "queued"
    assert owner.redis.smembers("whisperline:uploads_used") == {source.upload_id}


def test_a_batch_and_its_jobs_are_not_denied_before_all_are_back(
    api: httpx.Client, accepted: Accept, owner: Owner
) -> None:
    batch, jobs = accepted(2)
    owner.redis.flushall()

    early = [api.get(f"/v1/batches/{batch.id}"), api.get(f"/v1/jobs/{jobs[0].id}")]
    rebuilding(owner.settings, owner.redis).reconcile()
    late: list[Any] = [api.get(f"/v1/batches/{batch.id}"), api.get(f"/v1/jobs/{jobs[0].id}")]

    assert [answer.status_code for answer in early] == [503, 503]
    assert [answer.status_code for answer in late] == [200, 200]
