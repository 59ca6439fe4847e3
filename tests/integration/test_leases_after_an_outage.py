"""Leases that ran out because Redis was away are not taken from workers who want to renew them."""

import time

import pytest
import redis

from jobs import redis_client
from jobs import s3_client as s3
from jobs.attempt import new_lease
from jobs.dispatch import job_dispatch
from jobs.errors import StoreUnavailable
from jobs.indexes import LEASES
from jobs.leases import Leases
from jobs.queue import JobQueue, connect
from jobs.settings import StoreSettings
from jobs.store import JobStore
from tests.jobs_made import a_job
from worker.housekeeper import Housekeeper
from worker.keeping_house import housekeeper

GRACE = 0.5  # less than the server under test has been up, as soon as it says that of itself


class Clock:
    """A clock that is moved by hand."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def a_housekeeper(
    settings: StoreSettings, client: "redis.Redis", clock: Clock, *, grace_seconds: float
) -> Housekeeper:
    """Return one whose messages go to a Redis of which nobody answers."""
    nobody = redis_client.connect("redis://127.0.0.1:1/0")
    made = housekeeper(
        client,
        JobStore(client),
        job_dispatch(nobody, JobQueue(connect(settings), nobody)),
        s3.connect(settings),
        settings.s3_bucket,
        grace_seconds=grace_seconds,
    )
    made._clock = clock
    return made


@pytest.fixture
def expired(valkey: "redis.Redis", store: JobStore, leases: Leases) -> str:
    """The id of a job whose lease ran out."""
    job = a_job()
    store.add(job)
    leases.claim(job.id, new_lease("w"))
    valkey.zadd(LEASES, {job.id: 1})
    deadline = time.monotonic() + 10
    while store.uptime_seconds() < GRACE:
        assert time.monotonic() < deadline
    return job.id


def test_a_lease_is_left_alone_for_a_while_after_an_outage(
    valkey: "redis.Redis", store: JobStore, settings: StoreSettings, clock: Clock, expired: str
) -> None:
    keeper = a_housekeeper(settings, valkey, clock, grace_seconds=GRACE)
    keeper._away_at = clock()

    with pytest.raises(StoreUnavailable):
        keeper.make_round()
    assert store.get(expired).status == "running"

    clock.seconds += GRACE * 0.9
    keeper.put_back_expired()
    assert store.get(expired).status == "running"

    clock.seconds += GRACE * 0.2
    keeper.put_back_expired()
    assert store.get(expired).status == "queued"


def test_an_outage_begins_when_a_round_fails(
    valkey: "redis.Redis", store: JobStore, settings: StoreSettings, clock: Clock, expired: str
) -> None:
    keeper = a_housekeeper(settings, valkey, clock, grace_seconds=GRACE)
    with pytest.raises(StoreUnavailable):
        keeper.make_round()
    assert store.get(expired).status == "queued", "nothing was known of an outage"
    Leases(valkey, store).claim(expired, new_lease("w"))
    valkey.zadd(LEASES, {expired: 1})

    keeper.put_back_expired()

    assert store.get(expired).status == "running"


def test_a_redis_that_was_just_started_gives_workers_time(
    valkey: "redis.Redis", store: JobStore, settings: StoreSettings, clock: Clock, expired: str
) -> None:
    longer_than_it_is_up = store.uptime_seconds() + 3600

    a_housekeeper(settings, valkey, clock, grace_seconds=longer_than_it_is_up).put_back_expired()

    assert store.get(expired).status == "running"
