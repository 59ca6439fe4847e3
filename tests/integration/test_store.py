import threading

import pytest

from jobs.attempt import MAX_ATTEMPTS, new_lease
from jobs.errors import LeaseLost, StoreUnavailable
from jobs.figures import Figures
from jobs.indexes import LEASES
from jobs.job import Job
from jobs.leases import Leases
from jobs.listing import JobFilter, JobList
from jobs.options import JobOptions, Priority
from jobs.redis_client import connect
from jobs.request_errors import IllegalMove, JobNotFound, JobPurged
from jobs.stages import Stage
from jobs.status import JobStatus
from jobs.store import JobStore
from tests.jobs_made import a_job


def expire(store: JobStore, job_id: str) -> None:
    store._redis.zadd(LEASES, {job_id: 1})


def test_a_record_comes_back_as_it_was_written(store: JobStore) -> None:
    job = a_job(options=JobOptions(language="de", tags=("a", "b"), metadata={"n": 1}))

    store.add(job)

    assert store.get(job.id) == job


def test_an_unknown_id_is_not_found_and_a_purged_one_is_gone(store: JobStore) -> None:
    job = a_job()
    store.add(job)
    store.purge(job.id)

    with pytest.raises(JobPurged):
        store.get(job.id)
    with pytest.raises(JobNotFound):
        store.get("job_unknown")
    assert JobList(store._redis, store).page(job.owner, JobFilter(), limit=10).jobs == ()


def test_the_queue_position_counts_the_jobs_before_it_in_the_same_queue(
    store: JobStore, leases: Leases
) -> None:
    first, second = a_job(), a_job()
    other = a_job(options=JobOptions(priority=Priority.BATCH))
    for job in (first, other, second):
        store.add(job)

    position = Figures(store._redis).queue_position
    assert position(second) == 1
    claimed = leases.claim(first.id, new_lease("w"))
    assert position(second) == 0
    assert position(claimed.job) is None
    assert store.depth(Priority.BATCH) == 1


def test_of_many_workers_at_once_exactly_one_claims_a_job(store: JobStore, leases: Leases) -> None:
    job = a_job()
    store.add(job)
    barrier = threading.Barrier(8)
    won: list[bool] = []

    def claim(name: str) -> None:
        barrier.wait()
        won.append(leases.claim(job.id, new_lease(name)).is_mine)

    threads = [threading.Thread(target=claim, args=(f"w{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert won.count(True) == 1
    assert store.get(job.id).attempt == 1


def test_a_cancel_and_a_finish_cannot_both_win(store: JobStore, leases: Leases) -> None:
    job = a_job()
    store.add(job)
    lease = new_lease("w")
    leases.claim(job.id, lease)

    store.update(job.id, Job.canceled)

    with pytest.raises((IllegalMove, LeaseLost)):
        store.update(job.id, lambda j: j.progressed(lease.token, Stage.DECODE, 0.5))
    assert store.get(job.id).status is JobStatus.CANCELED


def test_a_worker_that_lost_its_lease_can_write_nothing(store: JobStore, leases: Leases) -> None:
    job = a_job()
    store.add(job)
    paused, successor = new_lease("paused"), new_lease("successor")
    leases.claim(job.id, paused)
    expire(store, job.id)
    claimed = leases.claim(job.id, successor)

    with pytest.raises(LeaseLost):
        leases.renew(job.id, paused.token)
    with pytest.raises(LeaseLost):
        store.update(job.id, lambda j: j.progressed(paused.token, Stage.DECODE, 0.5))
    assert claimed.is_mine
    assert claimed.job.attempt == 2
    leases.renew(job.id, successor.token)


def test_a_living_lease_is_neither_claimed_nor_put_back(store: JobStore, leases: Leases) -> None:
    job = a_job()
    store.add(job)
    leases.claim(job.id, new_lease("w"))

    assert not leases.claim(job.id, new_lease("thief")).is_mine
    assert leases.put_back_expired(job.id) is None
    assert leases.expired() == []


def test_a_job_whose_workers_all_died_fails_after_the_third_attempt(
    store: JobStore, leases: Leases
) -> None:
    job = a_job()
    store.add(job)
    for _ in range(MAX_ATTEMPTS):
        assert leases.claim(job.id, new_lease("w")).is_mine
        expire(store, job.id)
        assert leases.expired() == [job.id]
        leases.put_back_expired(job.id)

    ended = store.get(job.id)

    assert ended.status is JobStatus.FAILED
    assert ended.failure is not None
    assert ended.failure.code == "attempts_exhausted"
    assert not leases.claim(job.id, new_lease("w")).is_mine


def test_progress_never_goes_back_even_on_a_second_attempt(store: JobStore, leases: Leases) -> None:
    job = a_job()
    store.add(job)
    first, second = new_lease("a"), new_lease("b")
    leases.claim(job.id, first)
    store.update(job.id, lambda j: j.progressed(first.token, Stage.DIARIZE, 0.9))
    before = store.get(job.id).progress
    expire(store, job.id)
    leases.claim(job.id, second)

    store.update(job.id, lambda j: j.progressed(second.token, Stage.DECODE, 0.1))

    assert store.get(job.id).progress == before


def test_a_store_that_is_away_says_so_within_seconds() -> None:
    away = JobStore(connect("redis://127.0.0.1:1/0"))

    with pytest.raises(StoreUnavailable):
        away.get("job_x")
