"""What a watching client is told of a job, look by look."""

import time
from collections.abc import Callable
from functools import partial

import pytest
import redis

from api.told import PROGRESS_SECONDS, Told, done_id
from jobs.attempt import Lease, Outcome
from jobs.figures import Figures
from jobs.heard import PORTION, Heard, HeardSegment
from jobs.job import Job
from jobs.leases import Leases
from jobs.stages import Stage
from jobs.store import JobStore
from tests.events_read import names, read, texts, told
from tests.jobs_made import a_job

LEASE = Lease(token="t", worker="w")
OUTCOME = Outcome(language="en", language_confidence=None, warnings=(), stages=())


@pytest.fixture
def heard(valkey: "redis.Redis") -> Heard:
    return Heard(valkey)


@pytest.fixture
def job(store: JobStore) -> Job:
    added = a_job()
    store.add(added)
    return added


@pytest.fixture
def running(job: Job, leases: Leases) -> Job:
    return claimed(job, leases)


@pytest.fixture
def told_up_to(valkey: "redis.Redis", heard: Heard) -> Callable[[str], Told]:
    return lambda last_id: Told.up_to(last_id, position=Figures(valkey).queue_position, heard=heard)


@pytest.fixture
def fresh(told_up_to: Callable[[str], Told]) -> Told:
    return told_up_to("")


def claimed(job: Job, leases: Leases) -> Job:
    found = leases.claim(job.id, LEASE)
    assert found.is_mine
    return found.job


def hear(heard: Heard, job: Job, words: str, *, first: int = 0, attempt: int | None = None) -> None:
    for index, word in enumerate(words.split(), start=first):
        heard.add(
            job.id,
            HeardSegment(
                attempt=job.attempt if attempt is None else attempt,
                start=float(index),
                end=index + 1.0,
                text=f" {word}",
            ),
        )


def test_the_first_look_says_where_the_job_stands_and_the_next_nothing(
    fresh: Told, job: Job
) -> None:
    (status,) = read(fresh.news(job))

    assert status.event == "status"
    assert told(status) == {
        "id": job.id,
        "status": "queued",
        "stage": None,
        "progress": 0.0,
        "attempt": 0,
        "queue_position": 0,
    }
    assert fresh.news(job) == b""
    assert not fresh.is_over


def test_status_is_told_for_each_change_of_status_stage_and_attempt(fresh: Told, job: Job) -> None:
    fresh.news(job)
    running = job.claimed(LEASE)
    states = [
        running,
        running.progressed("t", Stage.FETCH, 0.0),
        running.put_back(token="t", costs_attempt=True),
        running.put_back(token="t", costs_attempt=True).claimed(LEASE),
    ]

    found = [read(fresh.news(state)) for state in states]

    assert [names(events) for events in found] == [["status"]] * 4
    shown = [told(status) for (status,) in found]
    assert [(each["status"], each["stage"], each["attempt"]) for each in shown] == [
        ("running", None, 1),
        ("running", "fetch", 1),
        ("queued", None, 1),
        ("running", None, 2),
    ]


def test_progress_is_told_at_most_twice_a_second_and_its_last_value_in_the_end(
    fresh: Told, running: Job
) -> None:
    began = time.monotonic()
    states = [running.progressed("t", Stage.TRANSCRIBE, step / 500) for step in range(2 * PORTION)]
    fresh.news(states[0])

    found = [event for state in states for event in read(fresh.news(state))]

    assert set(names(found)) == {"progress"}
    assert len(found) <= 1 + (time.monotonic() - began) / PROGRESS_SECONDS
    while fresh.quiet_seconds:
        time.sleep(fresh.quiet_seconds)
    last = [*found, *read(fresh.news(states[-1]))][-1]
    assert told(last) == {"progress": states[-1].progress, "stage": "transcribe"}
    assert fresh.news(states[-1]) == b""


def test_text_is_told_once_in_order(fresh: Told, running: Job, heard: Heard) -> None:
    hear(heard, running, "one two")
    first = read(fresh.news(running))
    hear(heard, running, "three four", first=2)
    second = read(fresh.news(running))

    assert names(first) == ["status", "segment", "segment"]
    assert told(first[1]) == {"attempt": 1, "start": 0, "end": 1, "text": " one", "index": 0}
    assert texts(second) == " three four"
    assert fresh.news(running) == b""


@pytest.mark.parametrize("known", range(5))
def test_who_comes_back_gets_the_rest_of_the_text(
    told_up_to: Callable[[str], Told], running: Job, heard: Heard, known: int
) -> None:
    words = [" one", " two", " three", " four"]
    hear(heard, running, "".join(words))
    all_of_it = read(told_up_to("").news(running))

    rest = read(told_up_to(all_of_it[known].id).news(running))

    assert texts(rest) == "".join(words[known:])


@pytest.mark.parametrize(
    "last_id", ["", "0", "1-7-8000", "1-0-999", "2-0-1000", "done-1", "1-0-1000-x", "999999999-1-1"]
)
def test_an_id_that_names_nothing_begins_the_text_anew(
    told_up_to: Callable[[str], Told], running: Job, heard: Heard, last_id: str
) -> None:
    hear(heard, running, "one two")

    assert texts(read(told_up_to(last_id).news(running))) == " one two"


def test_a_later_attempt_begins_the_text_anew(
    told_up_to: Callable[[str], Told],
    fresh: Told,
    running: Job,
    heard: Heard,
    store: JobStore,
    leases: Leases,
) -> None:
    hear(heard, running, "one two three")
    before = read(fresh.news(running))
    again = claimed(store.update(running.id, partial(Job.put_back, costs_attempt=True)), leases)

    left_by_the_first = [read(fresh.news(again)), read(told_up_to("").news(again))]
    heard.clear(again.id)
    hear(heard, again, "uno dos")
    after = read(fresh.news(again))

    assert [names(events) for events in left_by_the_first] == [["status"], ["status"]]
    assert texts(after) == " uno dos"
    assert [told(event)["index"] for event in after] == [0, 1]
    for event in before[1:]:
        assert texts(read(told_up_to(event.id).news(again))) == " uno dos"


def test_an_attempt_that_was_handed_back_begins_the_text_anew_though_its_number_is_the_same(
    fresh: Told, running: Job, heard: Heard, store: JobStore, leases: Leases
) -> None:
    hear(heard, running, "one two three")
    fresh.news(running)
    store.update(running.id, lambda job: job.put_back(costs_attempt=False))
    again = claimed(running, leases)
    heard.clear(again.id)
    hear(heard, again, "a b c d", first=1)

    assert again.attempt == running.attempt
    assert texts(read(fresh.news(again))) == " a b c d"


def test_text_of_an_attempt_that_the_record_does_not_show_yet_waits_for_it(
    fresh: Told, running: Job, heard: Heard
) -> None:
    hear(heard, running, "early", attempt=2)

    assert texts(read(fresh.news(running))) == ""
    later = running.put_back(token="t", costs_attempt=True).claimed(LEASE)
    assert texts(read(fresh.news(later))) == " early"


def test_what_a_dead_attempt_still_says_is_left_out(
    fresh: Told, running: Job, heard: Heard
) -> None:
    second = running.put_back(token="t", costs_attempt=True).claimed(LEASE)
    hear(heard, second, "one")
    hear(heard, second, "zombie", attempt=1)
    hear(heard, second, "two", first=1)

    assert texts(read(fresh.news(second))) == " one two"


def test_done_comes_last_and_after_all_text(fresh: Told, running: Job, heard: Heard) -> None:
    words = [f" {number}" for number in range(2 * PORTION)]
    fresh.news(running)
    hear(heard, running, "".join(words))
    over = running.succeeded("t", OUTCOME)

    looks = []
    while not fresh.is_over:
        looks.append(read(fresh.news(over)))

    found = [event for look in looks for event in look]
    assert names(found) == ["status", *(["segment"] * len(words)), "done"]
    assert texts(found) == "".join(words)
    assert max(len(look) for look in looks) <= 1 + PORTION  # memory does not grow with the text
    assert found[-1].id == done_id(over)
    assert told(found[-1])["status"] == "succeeded"


def test_each_end_of_a_job_has_its_own_id(running: Job) -> None:
    first = running.canceled()
    second = first.retried().claimed(LEASE).canceled()

    assert done_id(first) == done_id(first.model_copy())
    assert first.finished_at is not None
    assert second.finished_at is not None
    while second.finished_at.timestamp() - first.finished_at.timestamp() < 0.001:
        second = first.retried().claimed(LEASE).canceled()
        assert second.finished_at is not None
    assert done_id(first) != done_id(second)
