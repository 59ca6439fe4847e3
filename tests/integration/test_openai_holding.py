"""Requests at the OpenAI audio API that wait: signs of life, hanging up, limits."""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
import redis

from api.key_ring import ANONYMOUS
from deploy.local.processes import Process
from jobs.job import Job
from jobs.key_files import hash_of
from jobs.listing import JobFilter, JobList
from jobs.status import JobStatus
from jobs.store import JobStore
from tests.integration.second_api import SecondApi

StartSecondApi = Callable[..., SecondApi]
StartWorker = Callable[[], Process]

ANN = "wl_annskey_000000000000000000000000000"
TRANSCRIPTIONS = "/v1/audio/transcriptions"
SCRIPT = json.dumps({"say": "good morning"}).encode()
BEATS = 3  # signs of life that make sure that there is more than one


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture(scope="module")
def impatient(start_second_api: StartSecondApi) -> Iterator[httpx.Client]:
    """An API that shows signs of life often, and takes little."""
    url = start_second_api(
        HEARTBEAT_SECONDS="0.2",
        API_KEYS=f"ann:{hash_of(ANN)}",
        MAX_FILE_SIZE_MB="1",
        MAX_QUEUED_PER_OWNER="2",
    ).url
    headers = {"Authorization": f"Bearer {ANN}"}
    with httpx.Client(base_url=url, timeout=60, headers=headers) as client:
        yield client


@pytest.fixture
def jobs(valkey: "redis.Redis", store: JobStore) -> Callable[[], list[Job]]:
    """A function that returns all jobs."""
    listing = JobList(valkey, store)
    return lambda: [
        job
        for owner in (ANONYMOUS, "ann")
        for job in listing.page(owner, JobFilter(), limit=50).jobs
    ]


@pytest.fixture
def job(jobs: Callable[[], list[Job]]) -> Callable[[], Job]:
    """A function that returns the one job that there is."""

    def only() -> Job:
        (found,) = jobs()
        return found

    return only


def post(
    api: httpx.Client,
    fields: Mapping[str, str] | None = None,
    *,
    media: bytes = SCRIPT,
) -> httpx.Response:
    return api.post(TRANSCRIPTIONS, data=fields, files={"file": ("a.wav", media)})


@contextmanager
def begun(
    api: httpx.Client, *, media: bytes = SCRIPT, **fields: str
) -> Iterator[tuple[httpx.Response, Iterator[bytes]]]:
    files = {"file": ("a.wav", media)}
    with api.stream("POST", TRANSCRIPTIONS, data=fields, files=files) as answer:
        yield answer, answer.iter_raw()


def beaten(parts: Iterator[bytes]) -> bytes:
    """Return the first signs of life."""
    found = b""
    while found.count(b" ") + found.count(b"\n") < BEATS:
        found += next(parts)
    return found


def broken_off(parts: Iterator[bytes]) -> bytes:
    """Return what came of an answer that must not look whole."""
    found = b""
    with suppress(httpx.RemoteProtocolError):
        for part in parts:
            found += part
        pytest.fail("the answer came to its proper end")
    return found


def test_a_key_is_asked_for_and_a_full_house_says_so(impatient: httpx.Client) -> None:
    stranger = impatient.post(TRANSCRIPTIONS, headers={"Authorization": "Bearer wrong"})
    large = post(impatient, media=b"x" * (3 * 1024 * 1024))
    for _ in range(2):
        jobs = impatient.post("/v1/jobs", files={"file": ("a.wav", SCRIPT)})
        assert jobs.status_code == 202, jobs.text
    full = post(impatient)

    def said(answer: httpx.Response) -> tuple[Any, ...]:
        error = answer.json()["error"]
        return answer.status_code, error["type"], error["code"]

    assert said(stranger) == (401, "authentication_error", "not_authenticated")
    assert said(large) == (413, "invalid_request_error", "too_large")
    assert said(full) == (429, "rate_limit_error", "queue_full")
    assert int(full.headers["Retry-After"]) > 0


@pytest.mark.parametrize("wanted", ["json", "text", "srt", "vtt", "verbose_json"])
def test_a_long_wait_shows_signs_of_life_that_change_nothing(
    impatient: httpx.Client, start_worker: StartWorker, wanted: str
) -> None:
    with begun(impatient, response_format=wanted) as (answer, parts):
        head = beaten(parts)
        start_worker()
        text = (head + b"".join(parts)).decode()
    short = post(impatient, {"response_format": wanted})

    assert answer.status_code == short.status_code == 200
    assert answer.headers["content-type"] == short.headers["content-type"]
    if wanted in ("json", "verbose_json"):
        assert json.loads(text) == short.json()
    elif wanted == "vtt":
        assert text.startswith("WEBVTT ")
        assert text.split("\n")[1:] == short.text.split("\n")[1:]
    else:
        assert text.lstrip() == short.text


def test_a_failure_after_a_long_wait_breaks_off_in_openais_shape(
    impatient: httpx.Client, start_worker: StartWorker
) -> None:
    with begun(impatient, media=b"no script") as (answer, parts):
        head = beaten(parts)
        start_worker()
        text = head + broken_off(parts)

    assert answer.status_code == 200
    assert json.loads(text)["error"]["code"] == "unsupported_media"


def test_hanging_up_cancels_the_job(
    impatient: httpx.Client, store: JobStore, job: Callable[[], Job]
) -> None:
    with begun(impatient) as (_, parts):
        beaten(parts)
        waiting = job()
        assert waiting.status is JobStatus.QUEUED

    SecondApi.wait_until(lambda: store.get(waiting.id).status is JobStatus.CANCELED)


def test_a_job_that_somebody_canceled_is_not_sent_again(
    api: httpx.Client, job: Callable[[], Job], jobs: Callable[[], list[Job]]
) -> None:
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(post, api)
        SecondApi.wait_until(lambda: bool(jobs()))
        assert api.post(f"/v1/jobs/{job().id}/cancel").status_code == 202
        answer = answering.result(timeout=60)

    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "canceled"
    assert answer.headers["X-Should-Retry"] == "false"
