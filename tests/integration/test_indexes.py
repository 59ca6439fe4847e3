"""What is counted beside the records stays true to them, whatever moves a job makes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import redis

from jobs.attempt import MAX_ATTEMPTS, Failure, Outcome, new_lease
from jobs.figures import DayOfUse, Figures, QueueFigures
from jobs.indexes import LEASES
from jobs.job import Job
from jobs.leases import Leases
from jobs.media import Media
from jobs.options import Priority
from jobs.request_errors import QueueFull
from jobs.source import UrlSource
from jobs.store import JobStore
from tests.jobs_made import a_job

FAILURE = Failure(code="internal", message="so")
OUTCOME = Outcome(language="en", language_confidence=None, warnings=(), stages=())


def used(valkey: "redis.Redis", owner: str) -> DayOfUse:
    """What ended just now; a run in the night may have begun on another day than it ends."""
    today = datetime.now(UTC).date()
    days = Figures(valkey).usage(owner, [today, today - timedelta(days=1)])
    return max(days, key=lambda day: day.succeeded + day.failed + day.canceled)


Move = Callable[[JobStore, Leases, Job], object]


def claim(store: JobStore, leases: Leases, job: Job) -> Job:
    claimed = leases.claim(job.id, new_lease("w"))
    assert claimed.is_mine
    return claimed.job


def token(store: JobStore, job: Job) -> str:
    lease = store.get(job.id).lease
    assert lease is not None
    return lease.token


def fetch(store: JobStore, leases: Leases, job: Job) -> Job:
    media = Media(filename="call.wav", bytes=70, sha256="0" * 64)
    held = token(store, job)
    return store.update(job.id, lambda now: now.fetched(held, media))


def hand_back(store: JobStore, leases: Leases, job: Job) -> Job:
    held = token(store, job)
    return store.update(job.id, lambda now: now.put_back(token=held))


def die(store: JobStore, leases: Leases, job: Job) -> Job | None:
    store._redis.zadd(LEASES, {job.id: 1})
    return leases.put_back_expired(job.id)


def succeed(store: JobStore, leases: Leases, job: Job) -> Job:
    held = token(store, job)
    store.update(job.id, lambda now: now.measured(held, seconds=12.5, codec="pcm"))
    return store.update(job.id, lambda now: now.succeeded(held, OUTCOME))


def fail(store: JobStore, leases: Leases, job: Job) -> Job:
    held = token(store, job)
    return store.update(job.id, lambda now: now.failed(FAILURE, token=held))


def cancel(store: JobStore, leases: Leases, job: Job) -> Job:
    return store.update(job.id, Job.canceled)


def retry(store: JobStore, leases: Leases, job: Job) -> Job:
    return store.update(job.id, Job.retried)


def purge(store: JobStore, leases: Leases, job: Job) -> None:
    store.purge(job.id)


def figures_of(jobs: list[Job]) -> tuple[int, int, int]:
    """Return depth, bytes and how many without a size, counted from the records themselves."""
    waiting = [job for job in jobs if job.status == "queued"]
    sizes = [job.media.bytes for job in waiting]
    return len(waiting), sum(size or 0 for size in sizes), sizes.count(None)


def shown(found: QueueFigures) -> tuple[int, int, int]:
    return found.depth, found.media_bytes, found.unsized


@pytest.mark.parametrize("comes_from", ["request", "address"])
@pytest.mark.parametrize(
    "moves",
    [
        [],
        [cancel],
        [cancel, retry],
        [cancel, retry, cancel, retry, claim],
        [purge],
        [claim],
        [claim, cancel],
        [claim, cancel, retry, purge],
        [claim, purge],
        [claim, hand_back],
        [claim, hand_back, cancel],
        [claim, hand_back, purge],
        [claim, die],
        [claim, die, claim, die, claim, die],
        [claim, die, purge],
        [claim, fetch],
        [claim, fetch, hand_back],
        [claim, fetch, hand_back, claim],
        [claim, fetch, die, cancel, retry],
        [claim, fetch, fail, retry, purge],
        [claim, fetch, succeed],
        [claim, fetch, succeed, purge],
    ],
    ids=lambda moves: "-".join(move.__name__ for move in moves),
)
def test_a_queue_s_figures_are_those_of_the_jobs_in_it(
    valkey: "redis.Redis", store: JobStore, leases: Leases, moves: list[Move], comes_from: str
) -> None:
    other, job = a_job(), a_job()
    if comes_from == "address":
        source = UrlSource(type="url", url="https://media.example.org/call.wav")
        job = job.model_copy(update={"source": source, "media": Media(filename="call.wav")})
    store.add(other)
    store.add(job)

    for move in moves:
        move(store, leases, job)
        records = store.get_many([other.id, job.id])
        normal = Figures(valkey).backlog().queues[list(Priority).index(Priority.NORMAL)]
        assert shown(normal) == figures_of(records)
        running = sum(record.status == "running" for record in records)
        assert Figures(valkey).backlog().running == running


def test_a_job_over_the_limit_leaves_no_trace(valkey: "redis.Redis", store: JobStore) -> None:
    store.add(a_job())
    before = Figures(valkey).backlog().queues[1]

    with pytest.raises(QueueFull):
        store.add(a_job(), max_queued=1)

    assert shown(Figures(valkey).backlog().queues[1]) == shown(before) == (1, 4, 0)


def test_each_end_is_counted_once_for_its_owner(
    valkey: "redis.Redis", store: JobStore, leases: Leases
) -> None:
    job, other = a_job(owner="ann"), a_job(owner="bob")
    for one in (job, other):
        store.add(one)
    for move in (claim, fail, retry, claim, succeed, purge):
        move(store, leases, job)
    cancel(store, leases, other)

    ann, bob = used(valkey, "ann"), used(valkey, "bob")

    assert (ann.succeeded, ann.failed, ann.canceled) == (1, 1, 0)
    assert (ann.media_bytes, ann.audio_seconds) == (8, 12.5)
    assert (bob.succeeded, bob.failed, bob.canceled, bob.audio_seconds) == (0, 0, 1, 0.0)
    pace = Figures(valkey).backlog().pace
    assert (pace.jobs, pace.media_bytes, pace.audio_seconds) == (1, 4, 12.5)


def test_a_job_given_up_is_counted_as_failed(
    valkey: "redis.Redis", store: JobStore, leases: Leases
) -> None:
    job = a_job(owner="ann")
    store.add(job)
    for _ in range(MAX_ATTEMPTS):
        claim(store, leases, job)
        die(store, leases, job)

    assert used(valkey, "ann").failed == 1


def test_waiting_for_another_worker_is_no_work(
    valkey: "redis.Redis", store: JobStore, leases: Leases
) -> None:
    job = a_job(owner="ann")
    store.add(job)
    claim(store, leases, job)
    long_ago = datetime.now(UTC) - timedelta(hours=5)
    store.update(job.id, lambda now: now.model_copy(update={"started_at": long_ago}))
    hand_back(store, leases, job)
    cancel(store, leases, job)

    assert used(valkey, "ann").processing_seconds == 0.0
