"""The ledger says in the end what the records say, whoever died or slept in between."""

from datetime import UTC, datetime

import pytest
import redis

from jobs.attempt import Outcome, new_lease
from jobs.errors import LeaseLost
from jobs.files import JobFiles
from jobs.job import Job
from jobs.leases import Leases
from jobs.ledger import LedgerDue, bring_up_to_date, settle
from jobs.store import JobStore
from tests.integration.test_service import objects
from tests.jobs_made import a_job

OUTCOME = Outcome(language="en", language_confidence=None, warnings=(), stages=())


@pytest.fixture
def due(valkey: "redis.Redis", store: JobStore, files: JobFiles) -> LedgerDue:
    return LedgerDue(valkey, store, files)


def accepted(store: JobStore, files: JobFiles) -> Job:
    """Return a job as a submission leaves it."""
    job = a_job()
    files.write_ledger(job)
    store.add(job)
    return job


def written(files: JobFiles, job: Job) -> Job | None:
    entry = files.read_ledger(job.id)
    return entry.job if entry is not None else None


def test_what_a_program_that_died_did_not_write_down_the_housekeeper_does(
    store: JobStore, files: JobFiles, due: LedgerDue
) -> None:
    job = accepted(store, files)
    canceled = store.update(job.id, Job.canceled)  # and then it died

    assert due.write(after_seconds=0) == 1

    assert written(files, job) == canceled
    assert due.count() == 0


def test_a_job_that_ends_is_on_the_list_until_it_is_written_down(
    store: JobStore, files: JobFiles, due: LedgerDue
) -> None:
    job = accepted(store, files)
    assert due.count() == 0
    canceled = store.update(job.id, Job.canceled)
    assert due.count() == 1
    assert due.write() == 0, "whoever canceled it has some seconds to write it down"

    bring_up_to_date(files, canceled, store=store)

    assert due.count() == 0


def test_a_writer_that_slept_does_not_leave_what_was_true_before(
    store: JobStore, files: JobFiles, due: LedgerDue
) -> None:
    job = accepted(store, files)
    canceled = store.update(job.id, Job.canceled)
    retried = store.update(job.id, Job.retried)
    settle(store, files, retried)

    settle(store, files, canceled)  # by one that slept since it canceled the job

    assert written(files, job) == retried
    assert due.count() == 0


def test_a_writer_that_slept_leaves_nothing_of_a_deleted_job(
    store: JobStore, files: JobFiles, due: LedgerDue
) -> None:
    job = accepted(store, files)
    canceled = store.update(job.id, Job.canceled)
    files.purge(canceled)
    store.purge(job.id)

    settle(store, files, canceled)

    assert objects(files, job.id) == []
    assert due.count() == 0


def test_a_writer_that_finds_redis_emptied_leaves_all_that_is_known_of_the_job(
    store: JobStore, files: JobFiles, valkey: "redis.Redis"
) -> None:
    job = accepted(store, files)
    canceled = store.update(job.id, Job.canceled)
    valkey.flushall()

    settle(store, files, canceled)

    assert written(files, job) == canceled


def test_a_job_that_runs_again_is_written_down_as_one_to_be_done(
    store: JobStore, files: JobFiles, leases: Leases, due: LedgerDue
) -> None:
    job = accepted(store, files)
    settle(store, files, store.update(job.id, Job.canceled))
    store.update(job.id, Job.retried)
    assert leases.claim(job.id, new_lease("w")).is_mine

    assert due.write(after_seconds=0) == 1

    entry = written(files, job)
    assert entry is not None
    assert not entry.status.is_final
    assert due.count() == 0


def test_the_housekeeper_has_other_duties_too(
    store: JobStore, files: JobFiles, due: LedgerDue
) -> None:
    for _ in range(3):
        store.update(accepted(store, files).id, Job.canceled)

    assert due.write(after_seconds=0, seconds=-1) == 0

    assert due.count() == 3


def test_a_worker_that_lost_its_lease_changes_neither_record_nor_ledger(
    store: JobStore, files: JobFiles, leases: Leases, due: LedgerDue
) -> None:
    job = accepted(store, files)
    stale = leases.claim(job.id, new_lease("sleeper")).job.lease
    assert stale is not None
    store.update(job.id, lambda found: found.put_back())
    ours = leases.claim(job.id, new_lease("other")).job.lease
    assert ours is not None
    ended = store.update(job.id, lambda found: found.succeeded(ours.token, OUTCOME))
    settle(store, files, ended)

    with pytest.raises(LeaseLost):
        store.update(job.id, lambda found: found.succeeded(stale.token, OUTCOME))

    assert due.count() == 0
    assert written(files, job) == store.get(job.id) == ended
    assert ended.finished_at is not None
    assert ended.finished_at <= datetime.now(UTC)
