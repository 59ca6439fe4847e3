"""A transcript that is streamed to clients of the OpenAI audio API while it is made."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
import redis

from api.live_text import LiveText
from api.settings import ApiSettings
from deploy.local.processes import Process
from jobs.heard import Heard, HeardSegment
from jobs.job import Job
from jobs.listing import JobFilter, JobList
from jobs.status import JobStatus
from jobs.store import JobStore
from tests.integration.second_api import SecondApi
from tests.jobs_made import a_job

StartSecondApi = Callable[..., SecondApi]
StartWorker = Callable[[], Process]
Event = dict[str, Any]

SCRIPT = {"say": "to be or not to be"}
THREADS = 24  # the fewest that an API may have
PLACES = ApiSettings(api_threads=THREADS).most_waiters


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture(scope="module")
def impatient(start_second_api: StartSecondApi) -> Iterator[httpx.Client]:
    """An API that shows signs of life often, and lets few wait."""
    url = start_second_api(HEARTBEAT_SECONDS="0.2", API_THREADS=str(THREADS)).url
    with httpx.Client(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture
def job(valkey: "redis.Redis", store: JobStore) -> Callable[[], Job]:
    """A function that returns the one job that there is."""

    def only() -> Job:
        (found,) = JobList(valkey, store).page("anonymous", JobFilter(), limit=50).jobs
        return found

    return only


@pytest.fixture
def heard(valkey: "redis.Redis") -> Heard:
    return Heard(valkey)


@contextmanager
def stream(
    api: httpx.Client, script: dict[str, Any] = SCRIPT, **fields: str
) -> Iterator[httpx.Response]:
    files = {"file": ("a.wav", json.dumps(script).encode())}
    data = {"stream": "true", **fields}
    with api.stream("POST", "/v1/audio/transcriptions", data=data, files=files) as answer:
        yield answer


def events_of(lines: Iterator[str]) -> list[Event]:
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def next_event(lines: Iterator[str]) -> Event:
    line = next(line for line in lines if line.startswith("data: "))
    event: Event = json.loads(line.removeprefix("data: "))
    return event


def deltas(events: list[Event]) -> list[str]:
    return [event["delta"] for event in events if event["type"] == "transcript.text.delta"]


def say(heard: Heard, job_id: str, texts: str, *, attempt: int = 1, first: int = 0) -> None:
    """Pretend that a worker heard words, each a second long."""
    for second, text in enumerate(texts.split(), start=first):
        segment = HeardSegment(attempt=attempt, start=second, end=second + 1, text=f" {text}")
        heard.add(job_id, segment)


def test_the_deltas_are_the_text_and_done_has_all_of_it(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    start_worker()
    with stream(api) as answer:
        events = events_of(answer.iter_lines())

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert api.get(f"/v1/jobs/{answer.headers['x-job-id']}").json()["status"] == "succeeded"
    assert "".join(deltas(events)) == SCRIPT["say"]
    assert events[-1] == {
        "type": "transcript.text.done",
        "text": SCRIPT["say"],
        "usage": {"type": "duration", "seconds": 1.0},
    }


def test_text_is_told_while_the_job_runs_and_not_again_by_the_next_worker(
    api: httpx.Client, start_worker: StartWorker, job: Callable[[], Job], heard: Heard
) -> None:
    with stream(api) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith(":")
        say(heard, job().id, "to be")
        told = [next_event(lines)["delta"] for _ in range(2)]
        assert not job().status.is_final
        start_worker()
        events = events_of(lines)

    assert told == ["to", " be"]
    assert "".join([*told, *deltas(events)]) == events[-1]["text"] == SCRIPT["say"]


def test_what_was_told_stays_where_the_next_worker_hears_differently(
    api: httpx.Client, start_worker: StartWorker, job: Callable[[], Job], heard: Heard
) -> None:
    with stream(api) as answer:
        lines = answer.iter_lines()
        next(lines)
        say(heard, job().id, "two bee")
        told = [next_event(lines)["delta"] for _ in range(2)]
        start_worker()
        events = events_of(lines)

    # All words may have been heard by the time that the job is over, or none but those told.
    assert "two bee or not to be".startswith("".join([*told, *deltas(events)]))
    assert events[-1]["text"] == SCRIPT["say"]


def test_what_was_never_heard_live_comes_at_the_end(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    start_worker()
    whole = "to be or not to be, that is the question"
    with stream(api, SCRIPT | {"transcript": {"text": whole}}) as answer:
        events = events_of(answer.iter_lines())

    assert "".join(deltas(events)) == events[-1]["text"] == whole


def test_diarized_segments_come_before_the_end(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    start_worker()
    with stream(api, response_format="diarized_json") as answer:
        events = events_of(answer.iter_lines())

    assert events[-2] == {
        "type": "transcript.text.segment",
        "id": "seg_0",
        "start": 0.0,
        "end": 1.0,
        "text": SCRIPT["say"],
        "speaker": "SPEAKER_00",
    }
    assert events[-1]["type"] == "transcript.text.done"


def test_a_format_that_a_stream_does_not_have_is_named(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    start_worker()
    with stream(api, response_format="srt") as answer:
        events = events_of(answer.iter_lines())

    assert answer.headers["X-Options-Without-Effect"] == "response_format"
    assert events[-1]["warnings"][0]["message"].startswith("response_format: ")


@pytest.mark.parametrize(
    ("script", "kind", "code"),
    [
        ({"fail": "corrupt"}, "invalid_request_error", "corrupt_media"),
        ({"fail": "bug"}, "server_error", "internal"),
    ],
)
def test_a_failure_is_the_last_event(
    api: httpx.Client, start_worker: StartWorker, script: Event, kind: str, code: str
) -> None:
    start_worker()
    with stream(api, script) as answer:
        (event,) = events_of(answer.iter_lines())

    assert answer.status_code == 200
    assert event["type"] == "error"
    assert event["error"].keys() == {"message", "type", "param", "code"}
    assert (event["error"]["type"], event["error"]["code"]) == (kind, code)
    assert "secret" not in event["error"]["message"]


def test_a_job_that_is_deleted_ends_its_stream(api: httpx.Client, job: Callable[[], Job]) -> None:
    with stream(api) as answer:
        lines = answer.iter_lines()
        next(lines)
        assert api.delete(f"/v1/jobs/{job().id}").status_code == 204
        (event,) = events_of(lines)

    assert event["error"]["code"] == "job_purged"


def test_a_mistake_is_answered_before_a_stream_begins(api: httpx.Client) -> None:
    with stream(api, model="gpt-9") as answer:
        answer.read()

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


def test_a_quiet_stream_shows_signs_of_life_and_hanging_up_cancels_its_job(
    impatient: httpx.Client, store: JobStore, job: Callable[[], Job]
) -> None:
    with stream(impatient) as answer:
        lines = (line for line in answer.iter_lines() if line)
        comments = [next(lines) for _ in range(3)]
        waiting = job()
        assert waiting.status is JobStatus.QUEUED

    assert all(line.startswith(":") for line in comments)
    SecondApi.wait_until(lambda: store.get(waiting.id).status is JobStatus.CANCELED)


def test_streams_take_places_and_give_them_back(impatient: httpx.Client) -> None:
    def status() -> int:
        with stream(impatient) as answer:
            return answer.status_code

    with ExitStack() as streams:
        for _ in range(PLACES):
            assert streams.enter_context(stream(impatient)).status_code == 200
        with stream(impatient) as refused:
            refused.read()

    assert refused.status_code == 503
    assert refused.json()["error"]["type"] == "server_error"
    assert int(refused.headers["Retry-After"]) > 0
    SecondApi.wait_until(lambda: status() == 200)


def test_live_text_is_told_once_however_often_it_is_heard(store: JobStore, heard: Heard) -> None:
    made = a_job()
    store.add(made)
    job_id = made.id
    live = LiveText(heard, job_id)
    assert not live.listen()
    say(heard, job_id, "to be")
    assert live.listen()
    assert live.take() == ["to", " be"]
    assert not live.listen()

    heard.clear(job_id)  # a worker handed the job back; its attempt is not counted
    assert not live.listen()
    say(heard, job_id, "to be or")
    assert live.listen()
    assert live.take() == [" or"]
    heard.clear(job_id)  # another one died, and the next was faster than we look
    say(heard, job_id, "to be or not", attempt=2)
    assert live.listen()
    assert live.take() == [" not"]
    assert live.rest_of("to be or not to be") == " to be"
    assert live.rest_of("something else") == ""
