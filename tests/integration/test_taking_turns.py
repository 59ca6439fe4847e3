"""Owners take turns in a queue, whatever the size of their backlogs."""

import json
from collections.abc import Callable

import pytest
import redis

from jobs import queue as broker
from jobs.attempt import Lease, SetbackCode, new_lease
from jobs.dispatch import Dispatch, job_dispatch
from jobs.figures import Figures
from jobs.job import Job
from jobs.lanes import JOBS_WINDOW, Lanes
from jobs.leases import Leases
from jobs.options import JobOptions, Priority
from jobs.queue import JobQueue
from jobs.redis_client import texts
from jobs.settings import StoreSettings
from jobs.store import JobStore
from tests.jobs_made import a_job
from worker.bereaved import Bereaved

Submit = Callable[[str], Job]
Take = Callable[[], Job | None]


@pytest.fixture
def dispatch(valkey: "redis.Redis", settings: StoreSettings) -> Dispatch:
    return job_dispatch(valkey, JobQueue(broker.connect(settings), valkey))


@pytest.fixture
def submit(store: JobStore, dispatch: Dispatch) -> Submit:
    """A function that does what the API does with a job of an owner."""

    def add(owner: str) -> Job:
        job = a_job(owner=owner)
        store.add(job)
        dispatch.feed(job.options.priority, owner)
        return job

    return add


@pytest.fixture
def take(valkey: "redis.Redis", leases: Leases, dispatch: Dispatch) -> Take:
    """A function that does what a worker does with the next message; None: there is none."""

    def claim() -> Job | None:
        message = valkey.rpop(Priority.NORMAL)  # Celery's end of the list
        if not isinstance(message, str):
            return None
        claimed = leases.claim(json.loads(message)["headers"]["id"], new_lease("w"))
        dispatch.feed(claimed.job.options.priority, claimed.job.owner)
        return claimed.job

    return claim


def messages(valkey: "redis.Redis") -> int:
    return int(valkey.llen(Priority.NORMAL))


def test_a_small_owner_waits_for_a_turn_not_for_a_backlog(submit: Submit, take: Take) -> None:
    for _ in range(50):
        submit("archive")
    submit("ann")
    submit("bob")

    taken = [job.owner for job in iter(take, None) if job is not None]

    assert len(taken) == 52
    assert taken.index("ann") <= JOBS_WINDOW
    assert taken.index("bob") <= JOBS_WINDOW + 1


def test_owners_alternate_while_both_have_a_backlog(submit: Submit, take: Take) -> None:
    for owner in ["archive"] * 10 + ["ann"] * 10:
        submit(owner)

    taken = [job.owner for job in iter(take, None) if job is not None]

    in_turns = taken[:20]
    assert all(
        in_turns[:n].count("ann") <= n / 2 and n / 2 - in_turns[:n].count("ann") <= JOBS_WINDOW
        for n in range(2, 20, 2)
    ), taken


def test_an_owners_own_jobs_keep_their_order(submit: Submit, take: Take) -> None:
    sent = [submit("ann").id for _ in range(9)]

    assert [job.id for job in iter(take, None) if job is not None] == sent


def test_a_queue_holds_few_messages_of_an_owner_however_many_come_and_go(
    submit: Submit, store: JobStore, valkey: "redis.Redis"
) -> None:
    for _ in range(30):
        store.update(submit("ann").id, Job.canceled)

    assert messages(valkey) == JOBS_WINDOW


def test_the_message_of_a_canceled_job_makes_room_for_the_next(
    submit: Submit, take: Take, store: JobStore
) -> None:
    canceled = [submit("ann") for _ in range(JOBS_WINDOW)]
    waiting = submit("ann")
    for job in canceled:
        store.update(job.id, Job.canceled)

    taken = [job.id for job in iter(take, None) if job is not None]

    assert taken == [*(job.id for job in canceled), waiting.id]
    assert store.get(waiting.id).status == "running"


def test_a_job_that_is_canceled_before_its_turn_is_never_sent(
    submit: Submit, take: Take, store: JobStore
) -> None:
    sent = [submit("ann").id for _ in range(JOBS_WINDOW)]
    store.update(submit("ann").id, Job.canceled)

    assert [job.id for job in iter(take, None) if job is not None] == sent


def test_a_job_that_was_canceled_and_retried_is_sent_again(
    submit: Submit, take: Take, store: JobStore, dispatch: Dispatch
) -> None:
    job = submit("ann")
    store.update(job.id, Job.canceled)
    assert take() is not None
    store.update(job.id, Job.retried)
    dispatch.feed(Priority.NORMAL, "ann")

    assert take() == store.get(job.id)
    assert store.get(job.id).status == "running"


def test_what_a_dead_worker_had_goes_before_what_its_owner_sent_later(
    submit: Submit, take: Take, store: JobStore, dispatch: Dispatch, valkey: "redis.Redis"
) -> None:
    first = submit("ann")
    assert take() is not None
    for _ in range(5):
        submit("ann")
    store.update(first.id, lambda job: job.put_back())

    order = [job.id for job in iter(take, None) if job is not None]

    assert order.index(first.id) <= JOBS_WINDOW


def test_a_job_that_pauses_is_not_sent_before_its_time(
    submit: Submit, take: Take, store: JobStore, settings: StoreSettings, valkey: "redis.Redis"
) -> None:
    paused, other = submit("ann"), submit("ann")
    assert take() is not None
    store.update(paused.id, lambda job: job.put_back(pause_seconds=60))

    assert [job.id for job in iter(take, None) if job is not None] == [other.id]

    later = Lanes(valkey, now=lambda: Lanes(valkey).now() + 61)
    assert later.next(Priority.NORMAL, "ann", window=JOBS_WINDOW) == [paused.id]


def test_lanes_that_are_empty_are_forgotten(
    submit: Submit, take: Take, dispatch: Dispatch, valkey: "redis.Redis"
) -> None:
    submit("ann")
    assert take() is not None
    dispatch.feed_all(Priority.NORMAL)

    assert Lanes(valkey).all(Priority.NORMAL) == []
    assert not [key for key in texts(valkey.keys("whisperline:[rsl]*")) if "ann" in key]


def test_a_lost_message_is_sent_again_once(
    submit: Submit, take: Take, valkey: "redis.Redis", settings: StoreSettings
) -> None:
    job = submit("ann")
    valkey.delete(Priority.NORMAL)
    impatient = job_dispatch(
        valkey, JobQueue(broker.connect(settings), valkey), lost_after_seconds=-1
    )

    impatient.send_lost(Priority.NORMAL)
    impatient.send_lost(Priority.NORMAL)

    assert messages(valkey) == 1
    taken = take()
    assert taken is not None
    assert taken.id == job.id


def test_what_a_dead_process_had_taken_and_not_claimed_is_sent_again_at_once(
    submit: Submit,
    store: JobStore,
    leases: Leases,
    valkey: "redis.Redis",
    settings: StoreSettings,
) -> None:
    submit("ann")
    submit("ann")
    valkey.delete(Priority.NORMAL)
    dispatch = job_dispatch(valkey, JobQueue(broker.connect(settings), valkey))

    Bereaved(store, leases, dispatch).put_back("the dead one", SetbackCode.CRASHED)

    assert messages(valkey) == 2


def test_the_position_counts_turns_not_backlogs(submit: Submit, valkey: "redis.Redis") -> None:
    archive = [submit("archive") for _ in range(100)]
    mine = submit("ann")
    position = Figures(valkey).queue_position

    assert position(mine) == JOBS_WINDOW
    assert position(archive[0]) == 1
    assert position(archive[99]) == 100


def test_a_deleted_job_leaves_no_lane_behind(
    store: JobStore, submit: Submit, valkey: "redis.Redis"
) -> None:
    store.purge(submit("ann").id)

    assert not valkey.exists("whisperline:ready:normal:ann", "whisperline:sent:normal:ann")


def test_two_queues_of_one_owner_do_not_share_a_window(
    store: JobStore, dispatch: Dispatch, submit: Submit, valkey: "redis.Redis", leases: Leases
) -> None:
    for _ in range(10):
        submit("ann")
    urgent = a_job(owner="ann", options=JobOptions(priority=Priority.INTERACTIVE))
    store.add(urgent)
    dispatch.feed(Priority.INTERACTIVE, "ann")

    assert valkey.llen(Priority.INTERACTIVE) == 1
    assert leases.claim(urgent.id, Lease(token="t", worker="w")).is_mine
