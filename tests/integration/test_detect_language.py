"""`POST /detect-language` answers what clients of whisper-asr-webservice expect."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis

from api.raw_pcm import WAV_HEADER
from deploy.local.processes import Process
from jobs.files import JobFiles
from jobs.job import Job
from jobs.listing import JobFilter, JobList
from jobs.status import JobStatus
from jobs.store import JobStore
from tests.integration.second_api import SecondApi

StartSecondApi = Callable[..., SecondApi]
StartWorker = Callable[[], Process]


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


def detect(url: str, content: bytes, **query: str) -> httpx.Response:
    files = {"audio_file": ("audio_file", content)}
    return httpx.post(f"{url}/detect-language", params=query, files=files, timeout=60)


def heard(**transcript: Any) -> bytes:
    """A script for what the pipeline finds where it only listens for the language."""
    return json.dumps({"transcript": {"text": "", "segments": [], **transcript}}).encode()


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        (heard(language="de", language_confidence=0.98), ("german", "de", 0.98)),
        (heard(language="yue", language_confidence=0.5), ("cantonese", "yue", 0.5)),
        (heard(language="en"), ("english", "en", None)),
        (heard(language=None), ("unknown", "und", None)),
    ],
)
def test_the_language_has_its_name_its_code_and_how_sure_it_is(
    api: httpx.Client,
    start_worker: StartWorker,
    script: bytes,
    answer: tuple[str, str, float | None],
) -> None:
    start_worker()

    found = detect(str(api.base_url), script)

    names = ("detected_language", "language_code", "confidence")
    assert found.headers["content-type"] == "application/json"
    assert found.json() == dict(zip(names, answer, strict=True))


def test_it_is_an_urgent_job_that_does_nothing_else(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    start_worker()

    detect(str(api.base_url), heard(), encode="true", video_file="{'/films/a.mkv'}")

    (job,) = api.get("/v1/jobs").json()["data"]
    assert job["options"]["task"] == "detect_language"
    assert job["options"]["priority"] == "interactive"
    assert job["options"]["diarize"] is False


def test_raw_samples_are_stored_as_a_wav_file(
    api: httpx.Client,
    start_worker: StartWorker,
    files: JobFiles,
    valkey: "redis.Redis",
    store: JobStore,
) -> None:
    start_worker()

    answer = detect(str(api.base_url), b"\x01\x02" * 100, encode="false")

    (job,) = JobList(valkey, store).page("anonymous", JobFilter(), limit=2).jobs
    stored = files._s3.get_object(Bucket=files._bucket, Key=f"jobs/{job.id}/media")["Body"].read()
    assert answer.status_code == 400  # the stand-in reads scripts only
    assert stored == WAV_HEADER + b"\x01\x02" * 100


@pytest.mark.parametrize(
    ("query", "content", "words"),
    [
        ({"model": "huge"}, heard(), "unknown model"),
        ({"encode": "perhaps"}, heard(), "encode"),
        ({}, b"", "empty"),
        ({}, b"no script", "failed to decode audio: "),
    ],
)
def test_what_is_wrong_is_a_400_with_a_detail(
    api: httpx.Client,
    start_worker: StartWorker,
    query: dict[str, str],
    content: bytes,
    words: str,
) -> None:
    start_worker()

    answer = detect(str(api.base_url), content, **query)

    assert answer.status_code == 400
    assert answer.json().keys() == {"detail"}
    assert words in answer.json()["detail"]


def test_it_shows_signs_of_life_and_ends_with_its_client(
    start_second_api: StartSecondApi, valkey: "redis.Redis", store: JobStore
) -> None:
    second = start_second_api(HEARTBEAT_SECONDS="0.2")
    listed = JobList(valkey, store)

    def only() -> Job:
        (job,) = listed.page("anonymous", JobFilter(), limit=2).jobs
        return job

    files = {"audio_file": ("audio_file", heard())}
    with (
        httpx.Client(base_url=second.url, timeout=30) as client,
        client.stream("POST", "/detect-language", files=files) as answer,
    ):
        parts = answer.iter_raw()
        assert next(parts) == next(parts) == b" "
        assert only().status is JobStatus.QUEUED

    second.wait_until(lambda: only().status is JobStatus.CANCELED)
