"""Many records change in few steps, also while others write to some of them."""

from datetime import UTC, datetime

import pytest
import redis

from jobs.bulk import Bulk
from jobs.errors import StoreUnavailable
from jobs.job import Job
from jobs.status import JobStatus
from jobs.store import JobStore
from tests.jobs_made import a_job


@pytest.fixture
def jobs(store: JobStore) -> list[Job]:
    made = [a_job(owner="ann") for _ in range(40)]
    for job in made:
        store.add(job)
    return made


def test_a_record_that_others_write_to_holds_up_no_other(
    store: JobStore, valkey: "redis.Redis", jobs: list[Job]
) -> None:
    busy, disturbed = jobs[17].id, 0

    def cancel(job: Job) -> Job:
        nonlocal disturbed
        if job.id == busy and disturbed < 15:
            disturbed += 1  # as a worker does that takes it at this very moment
            now = datetime.now(UTC)
            store.update(busy, lambda one: one.model_copy(update={"told_at": now}))
        return job.canceled()

    Bulk(valkey, store).change([job.id for job in jobs], cancel)

    assert disturbed == 15
    assert {store.get(job.id).status for job in jobs} == {JobStatus.CANCELED}


def test_a_record_that_is_written_to_for_ever_is_given_up_with_all_others_done(
    store: JobStore, valkey: "redis.Redis", jobs: list[Job]
) -> None:
    busy = jobs[-1].id

    def cancel(job: Job) -> Job:
        if job.id == busy:
            now = datetime.now(UTC)
            store.update(busy, lambda one: one.model_copy(update={"told_at": now}))
        return job.canceled()

    with pytest.raises(StoreUnavailable):
        Bulk(valkey, store).change([job.id for job in jobs], cancel)

    assert store.get(busy).status is JobStatus.QUEUED
    assert {store.get(job.id).status for job in jobs[:-1]} == {JobStatus.CANCELED}
