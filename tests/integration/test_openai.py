"""The OpenAI audio API through the real front door: answers, errors, waiting."""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
TRANSCRIPTIONS, TRANSLATIONS = "/v1/audio/transcriptions", "/v1/audio/translations"
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
    path: str = TRANSCRIPTIONS,
    media: bytes = SCRIPT,
) -> httpx.Response:
    return api.post(path, data=fields, files={"file": ("a.wav", media)})


@contextmanager
def begun(api: httpx.Client, **fields: str) -> Iterator[tuple[httpx.Response, Iterator[bytes]]]:
    files = {"file": ("a.wav", SCRIPT)}
    with api.stream("POST", TRANSCRIPTIONS, data=fields, files=files) as answer:
        yield answer, answer.iter_raw()


def beaten(parts: Iterator[bytes]) -> bytes:
    """Return the first signs of life."""
    found = b""
    while found.count(b" ") + found.count(b"\n") < BEATS:
        found += next(parts)
    return found


def test_a_transcript_comes_as_json(api: httpx.Client, start_worker: StartWorker) -> None:
    start_worker()
    answer = post(api, {"model": "whisper-1"})

    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "text": "good morning",
        "usage": {"type": "duration", "seconds": 1.0},
    }


def test_the_fields_of_a_form_reach_the_job(
    api: httpx.Client, start_worker: StartWorker, job: Callable[[], Job]
) -> None:
    start_worker()
    fields = {"prompt": "Hello.", "temperature": "0.5", "response_format": "diarized_json"}
    answer = post(api, {"language": "de", **fields}, path=TRANSLATIONS)

    assert answer.status_code == 200, answer.text
    assert answer.json()["task"] == job().options.task == "translate"
    assert job().options.language == "de"
    assert job().options.initial_prompt == "Hello."
    assert job().options.temperature == 0.5
    assert job().options.diarize
    assert job().options.priority == "interactive"


@pytest.mark.parametrize(
    ("wanted", "content_type", "begins"),
    [
        ("text", "text/plain; charset=utf-8", "good morning\n"),
        ("srt", "application/x-subrip; charset=utf-8", "1\n00:00:00,000 --> "),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT\n\n00:00:00.000 --> "),
    ],
)
def test_text_comes_with_its_own_content_type(
    api: httpx.Client, start_worker: StartWorker, wanted: str, content_type: str, begins: str
) -> None:
    start_worker()
    answer = post(api, {"response_format": wanted})

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == content_type
    assert answer.text.startswith(begins)
    assert "SPEAKER" not in answer.text


def test_what_has_no_effect_is_said_in_a_header_and_in_json(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    start_worker()
    fields = {"include[]": "logprobs", "chunking_strategy": '{"type": "server_vad"}'}
    plain = post(api, {"response_format": "text"})
    text = post(api, {"response_format": "text", **fields})
    verbose = post(api, {"response_format": "verbose_json", **fields})

    assert "X-Options-Without-Effect" not in plain.headers
    assert text.headers["X-Options-Without-Effect"] == "chunking_strategy, include"
    messages = [warning["message"] for warning in verbose.json()["warnings"]]
    assert [message.partition(":")[0] for message in messages] == ["chunking_strategy", "include"]


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"model": "gpt-9"}, 404, "model_not_found", "model"),
        ({"model": "openai/whisper-large-v3"}, 404, "model_not_found", "model"),
        ({"response_format": "docx"}, 400, "invalid_options", "response_format"),
        ({"temperature": "2"}, 400, "invalid_options", "temperature"),
        ({"language": "klingon"}, 400, "invalid_options", "language"),
        (
            {"timestamp_granularities[]": "letter"},
            400,
            "invalid_options",
            "timestamp_granularities",
        ),
        ({"model": "tiny.en", "language": "de"}, 400, "invalid_options", None),
    ],
)
def test_a_wrong_field_is_named_in_openais_shape(
    api: httpx.Client, fields: dict[str, str], status: int, code: str, param: str | None
) -> None:
    answer = post(api, fields)

    error = answer.json()["error"]
    assert answer.status_code == status
    assert answer.json().keys() == {"error"}
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, param)


def test_a_form_without_a_file_or_with_an_empty_one_is_refused(api: httpx.Client) -> None:
    missing = api.post(TRANSCRIPTIONS, files={"model": (None, "whisper-1")})
    empty = post(api, media=b"")
    json_body = api.post(TRANSCRIPTIONS, json={"model": "whisper-1"})

    assert [each.status_code for each in (missing, empty, json_body)] == [400, 400, 400]
    assert "'file'" in missing.json()["error"]["message"]
    assert (empty.json()["error"]["code"], empty.json()["error"]["param"]) == (
        "empty_media",
        "file",
    )


def test_an_english_only_model_cannot_translate(api: httpx.Client) -> None:
    answer = post(api, {"model": "tiny.en"}, path=TRANSLATIONS)

    assert answer.status_code == 400
    assert "cannot translate" in answer.json()["error"]["message"]


def test_media_that_cannot_be_read_is_the_clients_fault(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    start_worker()
    unsupported = post(api, media=b"no script")
    corrupt = post(api, media=json.dumps({"fail": "corrupt"}).encode())

    for answer, code in ((unsupported, "unsupported_media"), (corrupt, "corrupt_media")):
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == code
        assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_fault_of_the_service_may_be_tried_again_and_tells_nothing(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    start_worker()
    answer = post(api, media=json.dumps({"fail": "bug"}).encode())

    assert answer.status_code == 503
    assert answer.json()["error"]["type"] == "server_error"
    assert int(answer.headers["Retry-After"]) > 0
    assert "secret" not in answer.text


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


def test_models_are_listed_and_looked_up(api: httpx.Client) -> None:
    listed = api.get("/v1/models").json()
    ids = [model["id"] for model in listed["data"]]
    large = api.get("/v1/models/large-v3").json()
    alias = api.get("/v1/models/whisper-large-v3").json()

    assert listed["object"] == "list"
    assert {"whisper-1", "gpt-4o-transcribe-diarize", "large-v3", "turbo", "tiny.en"} <= {*ids}
    assert large in listed["data"]
    assert large["object"] == "model"
    assert alias == large | {"id": "whisper-large-v3"}
    assert large["created"] > 1_600_000_000


@pytest.mark.parametrize("model", ["gpt-9", "openai/whisper-large-v3", "whisper-gpt-9"])
def test_a_model_that_is_not_there_is_not_found(api: httpx.Client, model: str) -> None:
    answer = api.get(f"/v1/models/{model}")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"
    assert answer.json()["error"]["param"] == "model"
