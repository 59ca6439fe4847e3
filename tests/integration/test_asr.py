"""`POST /asr` answers what clients of the replaced service expect, through the real API."""

import csv
import io
import json
import socket
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import srt

from deploy.local.processes import Process, wait_until
from deploy.local.stack import Stack
from jobs import redis_client
from jobs.files import JobFiles
from jobs.store import REBUILT
from tests.integration.asr_requests import SCRIPT, asr

WARNING = {"code": "diarization_failed", "stage": "diarize", "message": "nobody told apart"}


@pytest.fixture(scope="module", autouse=True)
def worker(stack: Stack, api: httpx.Client) -> Iterator[Process]:
    """One stand-in for all tests here, beside a Valkey that was empty when it began."""
    client = redis_client.connect(stack.valkey.url)
    client.flushall()
    client.set(REBUILT, "now")
    client.close()
    command = [sys.executable, "-m", "tests.integration.stand_in_worker"]
    process = stack.start("asr-stand-in", command, variables={"WORKER_NAME": "asr@test"})
    wait_until(stack.has_worker, process, within_seconds=60)
    yield process
    process.stop(within_seconds=5)


def said(**transcript: Any) -> bytes:
    """A script for what the pipeline finds."""
    return json.dumps({"say": "hello", "transcript": transcript}).encode()


def test_json_is_that_of_the_replaced_service(api: httpx.Client) -> None:
    answer = asr(api)

    word = {"word": "hello", "start": 0.0, "end": 1.0, "score": 0.9, "speaker": "SPEAKER_00"}
    segment = {"start": 0.0, "end": 1.0, "text": "hello", "speaker": "SPEAKER_00", "words": [word]}
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "text": [segment],
        "language": "en",
        "segments": [segment],
        "word_segments": [word],
        "warnings": [],
    }


BODIES = {
    "text": ("text/plain", "txt", "[SPEAKER_00] hello\n"),
    "txt": ("text/plain", "txt", "[SPEAKER_00] hello\n"),
    "srt": (
        "application/x-subrip",
        "srt",
        "1\n00:00:00,000 --> 00:00:01,000\n[SPEAKER_00] hello\n",
    ),
    "vtt": (
        "text/vtt",
        "vtt",
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n[SPEAKER_00] hello\n",
    ),
    "tsv": (
        "text/tab-separated-values",
        "tsv",
        "start\tend\ttext\tspeaker\n0.000\t1.000\thello\tSPEAKER_00\n",
    ),
}


@pytest.mark.parametrize("shape", BODIES)
def test_a_rendering_comes_bare_as_output_and_wrapped_as_output_format(
    api: httpx.Client, shape: str
) -> None:
    media_type, suffix, text = BODIES[shape]

    bare = asr(api, query={"output": shape, "output_format": "json"})
    in_form = asr(api, form={"output": shape})
    accepted = asr(api, accept="text/plain", query={"output_format": shape})
    wrapped = asr(api, query={"output_format": shape})

    for answer in (bare, in_form, accepted):
        assert answer.text == text
        assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
        assert f'"my talk.{suffix}"' in answer.headers["content-disposition"]
    assert wrapped.json() == {shape: text}
    assert wrapped.headers["content-type"] == "application/json"
    assert "content-disposition" not in wrapped.headers


def test_who_accepts_plain_text_and_names_no_format_gets_text(api: httpx.Client) -> None:
    assert asr(api, accept="text/plain").text == "[SPEAKER_00] hello\n"
    assert asr(api, accept="application/json, text/plain, */*").json()["language"] == "en"


def test_options_of_the_form_reach_the_job(api: httpx.Client) -> None:
    form = {"language": "de", "num_speakers": "2", "hotwords": "a,b", "word_timestamps": "false"}

    query = {"language": "fr", "initial_prompt": "query", "vad_filter": "true"}
    asr(api, form=form, query=query)

    options = api.get("/v1/jobs", params={"limit": 1}).json()["data"][0]["options"]
    assert options["language"] == "de"
    assert options["num_speakers"] == 2
    assert options["hotwords"] == "a,b"
    assert options["word_timestamps"] is False
    assert options["initial_prompt"] == "query"
    assert options["priority"] == "interactive"


def test_the_detected_language_is_reported_as_it_is(api: httpx.Client) -> None:
    assert asr(api, said(language="ja", language_confidence=0.97)).json()["language"] == "ja"


def test_a_stage_that_failed_is_told_in_every_json(api: httpx.Client) -> None:
    assert asr(api, said(warnings=[WARNING])).json()["warnings"] == [WARNING]
    wrapped = asr(api, said(warnings=[WARNING]), query={"output_format": "srt"})
    assert wrapped.json()["warnings"] == [WARNING]


def test_media_without_speech_is_a_success(api: httpx.Client) -> None:
    nothing = said(text="", language=None, segments=[])

    assert asr(api, nothing).json()["segments"] == []
    subtitles = asr(api, nothing, query={"output": "srt"})
    assert (subtitles.status_code, subtitles.text) == (200, "")


def test_what_is_no_number_is_no_500(api: httpx.Client) -> None:
    segments = [{"id": 0, "start": 0, "end": 1, "text": "hello", "confidence": float("nan")}]

    answer = asr(api, said(segments=segments))

    assert answer.status_code == 503  # a fault of the service, and worth another try
    assert "NaN" not in answer.text


def stored(files: JobFiles) -> int:
    return int(files._s3.list_objects_v2(Bucket=files._bucket)["KeyCount"])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model": "huge"}, "unknown model"),
        ({"language": "klingon"}, "unknown language"),
        ({"output": "rttm"}, "output"),
        ({"output_format": "pdf"}, "output_format"),
        ({"min_speakers": "3", "max_speakers": "2"}, "min_speakers"),
    ],
)
@pytest.mark.parametrize("where", ["query", "form"])
def test_what_is_wrong_is_a_400_with_a_detail_and_nothing_is_stored(
    api: httpx.Client, files: JobFiles, fields: dict[str, str], words: str, where: str
) -> None:
    before = stored(files)

    answer = asr(api, query=fields) if where == "query" else asr(api, form=fields)

    assert answer.status_code == 400
    assert answer.json().keys() == {"detail"}
    assert words in answer.json()["detail"]
    assert stored(files) == before


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"file": ("a.wav", SCRIPT)}, "audio_file"),
        ({"audio_file": ("a.wav", b"")}, "empty"),
    ],
)
def test_a_form_without_its_file_is_a_400(
    api: httpx.Client, files: dict[str, tuple[str, bytes]], words: str
) -> None:
    answer = api.post("/asr", files=files)

    assert answer.status_code == 400
    assert words in answer.json()["detail"]


def test_a_body_that_is_no_form_is_a_400(api: httpx.Client) -> None:
    assert api.post("/asr", json={"a": 1}).status_code == 400


@pytest.mark.parametrize("content", [b"no script", b'{"fail": "corrupt"}'])
@pytest.mark.parametrize("output", ["json", "srt"])
def test_media_that_cannot_be_decoded_is_told_in_the_old_words(
    api: httpx.Client, content: bytes, output: str
) -> None:
    answer = asr(api, content, query={"output": output})

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("failed to decode audio: ")


def test_a_file_too_large_is_refused_before_it_is_sent(stack: Stack, api: httpx.Client) -> None:
    head = (
        b"POST /asr HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", stack.ports.api), timeout=20) as client:
        client.sendall(head)
        answer = b"".join(iter(lambda: client.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"file too large" in answer


def test_subtitles_and_tables_can_be_read_by_others(api: httpx.Client) -> None:
    (cue,) = srt.parse(asr(api, query={"output": "srt"}).text)
    (row,) = csv.DictReader(io.StringIO(asr(api, query={"output": "tsv"}).text), delimiter="\t")

    assert cue.content == "[SPEAKER_00] hello"
    assert (float(row["start"]), float(row["end"])) == (0.0, 1.0)
