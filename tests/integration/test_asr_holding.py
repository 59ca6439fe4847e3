"""A request at `/asr` that waits: its signs of life, its hanging up, and what is given back."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pysubs2
import pytest
import redis
import srt
import webvtt

from api.job_faults import PERMANENT_WORDS
from deploy.local.processes import Process
from jobs.job import Job
from jobs.listing import JobFilter, JobList
from jobs.status import JobStatus
from jobs.store import JobStore
from tests.integration.asr_requests import SCRIPT, held
from tests.integration.second_api import SecondApi

StartSecondApi = Callable[..., SecondApi]
StartWorker = Callable[[], Process]

BEATS = 3  # signs of life that make sure that there is more than one


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture(scope="module")
def url(start_second_api: StartSecondApi) -> str:
    """An API that shows signs of life often, and lets few wait."""
    return start_second_api(HEARTBEAT_SECONDS="0.2", API_THREADS="24").url


@pytest.fixture
def jobs(valkey: "redis.Redis", store: JobStore) -> Callable[[], list[Job]]:
    """A function that returns all jobs, newest first."""
    return lambda: list(JobList(valkey, store).page("anonymous", JobFilter(), limit=50).jobs)


def beaten(parts: Iterator[bytes]) -> bytes:
    """Return the first signs of life."""
    found = b""
    while found.count(b" ") + found.count(b"\n") < BEATS:
        found += next(parts)
    return found


def long_answer(url: str, start_worker: StartWorker, content: bytes = SCRIPT, **query: str) -> str:
    """Return the text of an answer that began before its job was run."""
    with held(url, content, **query) as answer:
        assert answer.status_code == 200
        parts = answer.iter_raw()
        begun = beaten(parts)
        start_worker()
        return (begun + b"".join(parts)).decode()


def test_a_long_job_answers_json_behind_spaces(url: str, start_worker: StartWorker) -> None:
    text = long_answer(url, start_worker)

    assert text.startswith(" " * BEATS)
    assert json.loads(text)["segments"][0]["text"] == "hello"


def test_a_long_answer_has_the_head_of_a_short_one(url: str) -> None:
    with held(url, output="srt") as answer:
        assert answer.headers["content-type"] == "application/x-subrip; charset=utf-8"
        assert "a.srt" in answer.headers["content-disposition"]
    with held(url, output_format="srt") as answer:
        assert answer.headers["content-type"] == "application/json"


def test_long_subtitles_are_read_like_others(url: str, start_worker: StartWorker) -> None:
    text = long_answer(url, start_worker, output="srt")

    (cue,) = srt.parse(text)
    (same,) = pysubs2.SSAFile.from_string(text, format_="srt")
    assert text.startswith("\n" * BEATS)
    assert cue.content == same.text == "[SPEAKER_00] hello"


def test_a_long_webvtt_begins_as_it_must(url: str, start_worker: StartWorker) -> None:
    text = long_answer(url, start_worker, output="vtt")

    (cue,) = webvtt.from_string(text).captions
    first, second, *_ = text.split("\n")
    assert first.rstrip(" ") == "WEBVTT"
    assert len(first) >= len("WEBVTT") + BEATS
    assert second == ""
    assert cue.text == "[SPEAKER_00] hello"


def test_a_long_table_has_its_head_once(url: str, start_worker: StartWorker) -> None:
    text = long_answer(url, start_worker, output="tsv")

    assert [line.split("\t") for line in text.splitlines() if line] == [
        ["start", "end", "text", "speaker"],
        ["0.000", "1.000", "hello", "SPEAKER_00"],
    ]
    assert text.startswith("start\t")


def test_a_long_text_is_the_text(url: str, start_worker: StartWorker) -> None:
    assert long_answer(url, start_worker, output="txt").strip() == "[SPEAKER_00] hello"


def broken_off(parts: Iterator[bytes]) -> str:
    """Return what arrives of an answer that is never complete."""
    found: list[bytes] = []
    with pytest.raises(httpx.RemoteProtocolError):
        found.extend(parts)
    return b"".join(found).decode()


@pytest.mark.parametrize("output", ["json", "srt", "vtt", "tsv"])
def test_a_failure_after_the_head_is_told_and_never_looks_complete(
    url: str, start_worker: StartWorker, output: str
) -> None:
    with held(url, b"no script", output=output) as answer:
        parts = answer.iter_raw()
        beaten(parts)
        start_worker()
        rest = broken_off(parts)

    assert json.loads(rest)["detail"].startswith("failed to decode audio: ")


def test_a_bug_after_the_head_sounds_like_worth_another_try(
    url: str, start_worker: StartWorker
) -> None:
    with held(url, b'{"fail": "bug"}') as answer:
        parts = answer.iter_raw()
        beaten(parts)
        start_worker()
        rest = broken_off(parts)

    assert json.loads(rest).keys() == {"detail"}
    assert not any(words in rest.lower() for words in PERMANENT_WORDS)


def test_a_job_that_is_deleted_or_canceled_meanwhile_is_told(
    url: str, jobs: Callable[[], list[Job]]
) -> None:
    for method, end, words in (("DELETE", "", "deleted"), ("POST", "/cancel", "canceled")):
        with held(url) as answer:
            parts = answer.iter_raw()
            beaten(parts)
            job = f"{url}/v1/jobs/{jobs()[0].id}{end}"
            assert httpx.request(method, job).is_success
            rest = broken_off(parts)
        assert words in json.loads(rest)["detail"]


@pytest.mark.parametrize("with_worker", [False, True])
def test_a_client_that_hangs_up_takes_its_job_with_it(
    url: str,
    start_worker: StartWorker,
    jobs: Callable[[], list[Job]],
    with_worker: bool,  # noqa: FBT001
) -> None:
    if with_worker:
        start_worker()
    with held(url, b'{"say": "hello", "seconds": 300}'):
        SecondApi.wait_until(lambda: jobs()[0].status is JobStatus.RUNNING or not with_worker)

    SecondApi.wait_until(lambda: jobs()[0].status is JobStatus.CANCELED, within_seconds=5)


def test_a_client_that_hangs_up_before_the_answer_begins_takes_its_job_with_it(
    start_second_api: StartSecondApi, store: JobStore, valkey: "redis.Redis"
) -> None:
    patient = start_second_api()
    listed = JobList(valkey, store)

    def first() -> Job | None:
        return next(iter(listed.page("anonymous", JobFilter(), limit=1).jobs), None)

    with pytest.raises(httpx.ReadTimeout), httpx.Client(timeout=1) as client:
        client.post(f"{patient.url}/asr", files={"audio_file": ("a.wav", SCRIPT)})

    SecondApi.wait_until(lambda: (job := first()) is not None and job.status is JobStatus.CANCELED)


def test_a_client_that_only_stops_sending_gets_no_answer_that_looks_complete(url: str) -> None:
    form = (
        b'--x\r\nContent-Disposition: form-data; name="audio_file"; filename="a.wav"\r\n\r\n'
        b"{}\r\n--x--\r\n"
    )
    head = (
        f"POST /asr?output=srt HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(form)}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 80), timeout=30) as client:
        client.sendall(head.encode() + form)
        received = client.recv(65536)
        client.shutdown(socket.SHUT_WR)
        received += b"".join(iter(lambda: client.recv(65536), b""))

    assert received.startswith(b"HTTP/1.1 200 ")
    assert not received.endswith(b"0\r\n\r\n")


def test_a_place_is_given_back_however_the_wait_ends(
    url: str, start_worker: StartWorker, jobs: Callable[[], list[Job]]
) -> None:
    for _ in range(20):  # 12 may wait at once
        with held(url):
            pass
        SecondApi.wait_until(lambda: jobs()[0].status is JobStatus.CANCELED)
    start_worker()
    for content in (b"no script", SCRIPT) * 5:
        # A failure that comes behind a first sign of life breaks the connection.
        with suppress(httpx.RemoteProtocolError), held(url, content) as answer:
            answer.read()
        assert answer.status_code in (200, 400)
