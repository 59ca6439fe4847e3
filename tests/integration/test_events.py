"""Watching a job, as a browser's EventSource does."""

from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest
import redis
from httpx2 import ServerSentEvent

from deploy.local.processes import Process
from jobs.attempt import Lease
from jobs.heard import Heard, HeardSegment
from jobs.job import Job
from jobs.leases import Leases
from jobs.store import JobStore
from tests.events_read import names, read, texts, told, until, watching
from tests.jobs_made import a_job

StartWorker = Callable[..., Process]
Submit = Callable[..., dict[str, Any]]
LEASE = Lease(token="t", worker="w")


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def heard(valkey: "redis.Redis") -> Heard:
    return Heard(valkey)


@pytest.fixture
def running(store: JobStore, leases: Leases) -> Job:
    """A job that this test holds, as a worker would."""
    job = a_job()
    store.add(job)
    claimed = leases.claim(job.id, LEASE)
    assert claimed.is_mine
    return claimed.job


def hear(heard: Heard, job: Job, words: str, *, first: int = 0) -> None:
    for index, word in enumerate(words.split(), start=first):
        heard.add(
            job.id,
            HeardSegment(attempt=job.attempt, start=index, end=index + 1, text=f" {word}"),
        )


def test_a_job_is_watched_from_its_queue_to_its_end(
    api: httpx.Client, submit: Submit, start_worker: StartWorker
) -> None:
    words = "one two three four five"
    job = submit({"seconds": 2, "say": words})

    with watching(str(api.base_url), job["id"]) as events:
        found = until(events, "status")
        start_worker()
        found += list(events)

    kinds = names(found)
    assert (found[0].retry, kinds[0], kinds[-1]) == (2000, "status", "done")
    assert kinds.count("done") == 1
    assert texts(found) == "".join(f" {word}" for word in words.split())
    shown = [told(event) for event in found if event.event == "status"]
    assert shown[0]["queue_position"] == 0
    assert [each["status"] for each in shown] == sorted(
        (str(each["status"]) for each in shown), key=["queued", "running", "succeeded"].index
    )
    assert len({(each["status"], each["stage"], each["attempt"]) for each in shown}) == len(shown)
    with_progress = [event for event in found if event.event in ("status", "progress", "done")]
    fractions = [float(str(told(event)["progress"])) for event in with_progress]
    assert fractions == sorted(fractions)
    assert kinds.count("progress") > 1
    assert told(found[-1]) == api.get(f"/v1/jobs/{job['id']}").json()


def test_the_answer_is_one_that_no_proxy_holds_back(api: httpx.Client, running: Job) -> None:
    with api.stream("GET", f"/v1/jobs/{running.id}/events") as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-accel-buffering"] == "no"


@pytest.mark.parametrize("how", ["header", "query", "both"])
def test_who_comes_back_misses_nothing_and_gets_nothing_twice(
    api: httpx.Client, submit: Submit, start_worker: StartWorker, how: str
) -> None:
    words = [f" {number}" for number in range(40)]
    job = submit({"seconds": 2, "say": " ".join(words)})
    start_worker()
    found: list[ServerSentEvent] = []
    last_id = ""

    while "done" not in names(found):
        header = last_id if how in ("header", "both") else None
        query = {"header": "", "query": f"?last_event_id={last_id}", "both": "?last_event_id=x"}
        with watching(str(api.base_url), job["id"], last_id=header, query=query[how]) as events:
            for _, event in zip(range(7), events, strict=False):  # then the line breaks
                found.append(event)
                last_id = event.id or last_id

    assert texts(found) == "".join(words)


def test_who_comes_back_after_the_end_is_told_to_stop(api: httpx.Client, running: Job) -> None:
    path = f"/v1/jobs/{running.id}/events"
    api.post(f"/v1/jobs/{running.id}/cancel")
    done = read(api.get(path).content)[-1]

    stopped = api.get(path, headers={"Last-Event-ID": done.id})
    api.post(f"/v1/jobs/{running.id}/retry")
    api.post(f"/v1/jobs/{running.id}/cancel")
    again = read(api.get(path, headers={"Last-Event-ID": done.id}).content)

    assert done.event == "done"
    assert (stopped.status_code, stopped.content) == (204, b"")
    assert "content-type" not in stopped.headers
    assert names(again) == ["status", "done"]
    assert again[-1].id != done.id


def test_a_job_that_is_over_is_told_with_the_text_that_is_left(
    api: httpx.Client, running: Job, heard: Heard
) -> None:
    hear(heard, running, "one two three")
    api.post(f"/v1/jobs/{running.id}/cancel")
    path = f"/v1/jobs/{running.id}/events"

    found = read(api.get(path).content)
    rest = read(api.get(path, headers={"Last-Event-ID": found[2].id}).content)

    assert names(found) == ["status", "segment", "segment", "segment", "done"]
    assert names(rest) == ["status", "segment", "segment", "done"]


def test_a_new_attempt_is_told_from_its_beginning(
    api: httpx.Client, running: Job, heard: Heard, store: JobStore, leases: Leases
) -> None:
    with watching(str(api.base_url), running.id) as events:
        hear(heard, running, "one two three")
        last = until(events, "segment", text=" three")[-1]
        store.update(running.id, partial(Job.put_back, costs_attempt=True))
        until(events, "status", status="queued", attempt=1)
        again = leases.claim(running.id, LEASE).job
        until(events, "status", status="running", attempt=2)
        heard.clear(again.id)
        hear(heard, again, "uno dos")
        after = until(events, "segment", text=" dos")

    with watching(str(api.base_url), running.id, last_id=last.id) as events:
        resumed = until(events, "segment", text=" dos")
    assert texts(after) == texts(resumed) == " uno dos"


def test_a_cancel_ends_the_stream(api: httpx.Client, running: Job) -> None:
    with watching(str(api.base_url), running.id) as events:
        until(events, "status", status="running")
        api.post(f"/v1/jobs/{running.id}/cancel")
        rest = list(events)

    assert names(rest) == ["status", "done"]
    assert {told(event)["status"] for event in rest} == {"canceled"}


def test_a_deleted_job_is_gone(api: httpx.Client, running: Job) -> None:
    with watching(str(api.base_url), running.id) as events:
        until(events, "status", status="running")
        api.delete(f"/v1/jobs/{running.id}")
        rest = list(events)

    assert [(event.event, told(event)["code"]) for event in rest] == [("gone", "job_purged")]
    assert api.get(f"/v1/jobs/{running.id}/events").status_code == 410


def test_nobody_watches_anothers_job(api: httpx.Client, store: JobStore) -> None:
    others = a_job(owner="somebody")
    store.add(others)

    for job_id in (others.id, "job_unknown"):
        answer = api.get(f"/v1/jobs/{job_id}/events")
        assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")


def test_a_client_that_does_not_read_gets_all_of_it_later(
    api: httpx.Client, running: Job, heard: Heard
) -> None:
    words = [f" {number}-{'x' * 2000}" for number in range(3000)]  # 6 MB: no buffer holds it

    with watching(str(api.base_url), running.id) as events:
        until(events, "status")
        for batch in range(0, len(words), 500):
            hear(heard, running, " ".join(words[batch : batch + 500]), first=batch)
        api.post(f"/v1/jobs/{running.id}/cancel")
        found = list(events)

    assert texts(found) == "".join(words)
    assert names(found)[-1] == "done"
