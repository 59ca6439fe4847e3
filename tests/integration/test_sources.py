"""Jobs whose media does not come with the request."""

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import redis

from deploy.local.processes import Process
from jobs.files import JobFiles
from tests.integration.second_api import SecondApi

StartWorker = Callable[..., Process]
Ended = Callable[..., dict[str, Any]]
SCRIPT = json.dumps({"say": "hello from afar"}).encode()


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


class _Media(http.server.BaseHTTPRequestHandler):
    seen: "list[dict[str, str]]" = []  # noqa: RUF012 - of one test's server at a time

    def do_GET(self) -> None:
        self.seen.append(dict(self.headers))
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "audio/wav")
        self.send_header("Content-Length", str(len(SCRIPT)))
        self.end_headers()
        self.wfile.write(SCRIPT)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def media_url() -> Iterator[str]:
    """Where a server on this machine has a script for the stand-in."""
    _Media.seen = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Media) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def trusting_api(start_second_api: Callable[..., SecondApi]) -> SecondApi:
    return start_second_api(
        ALLOW_PRIVATE_ADDRESSES="true", SOURCE_BUCKETS="whisperline-archive,whisperline"
    )


def ask(url: str, **body: Any) -> httpx.Response:
    return httpx.post(f"{url}/v1/jobs", json=body, timeout=30)


def final_ledger(files: JobFiles, job_id: str) -> str:
    """Return a job's entry in the ledger, which is brought up to date after its record."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        entry = files._s3.get_object(Bucket=files._bucket, Key=f"jobs/{job_id}/job.json")
        text = entry["Body"].read().decode()
        if json.loads(text)["status"] == "succeeded":
            return text
        time.sleep(0.05)
    pytest.fail("the ledger does not say within 30 s that the job succeeded")


def test_media_at_an_address_is_fetched_by_the_worker_and_kept(
    trusting_api: SecondApi,
    api: httpx.Client,
    start_worker: StartWorker,
    ended: Ended,
    media_url: str,
    files: JobFiles,
    valkey: "redis.Redis",
) -> None:
    start_worker(ALLOW_PRIVATE_ADDRESSES="true")
    headers = {"Authorization": "Bearer their-secret"}

    answer = ask(
        trusting_api.url,
        source={"url": f"{media_url}/talks/talk.wav?token=hidden", "headers": headers},
        options={"tags": ["a"]},
        language="en",
    )
    job = ended(answer.json()["id"])

    assert answer.status_code == 202
    assert (job["status"], job["media"]["filename"]) == ("succeeded", "talk.wav")
    assert job["media"]["bytes"] == len(SCRIPT)
    assert (job["options"]["language"], job["options"]["tags"]) == ("en", ["a"])
    assert job["source"]["url"].endswith("/talks/talk.wav")
    assert _Media.seen[0]["Authorization"] == "Bearer their-secret"
    kept = files._s3.get_object(Bucket=files._bucket, Key=f"jobs/{job['id']}/media")
    assert kept["Body"].read() == SCRIPT
    record = str(valkey.get(f"whisperline:job:{job['id']}"))
    for text in (answer.text, json.dumps(job), record, final_ledger(files, job["id"])):
        assert "their-secret" not in text
    assert "hidden" not in answer.text + json.dumps(job)


def test_an_address_without_media_fails_the_job_with_its_status(
    trusting_api: SecondApi, start_worker: StartWorker, ended: Ended, media_url: str
) -> None:
    start_worker(ALLOW_PRIVATE_ADDRESSES="true")

    job = ended(ask(trusting_api.url, source={"url": f"{media_url}/missing"}).json()["id"])

    assert job["error"]["code"] == "fetch_failed"
    assert job["error"]["stage"] == "fetch"
    assert "404" in job["error"]["message"]


def test_a_name_that_leads_to_this_machine_is_refused_by_the_worker(
    api: httpx.Client, start_worker: StartWorker, ended: Ended, media_url: str
) -> None:
    start_worker()
    port = media_url.rpartition(":")[2]

    answer = api.post("/v1/jobs", json={"source": {"url": f"http://localhost:{port}/talk.wav"}})
    job = ended(answer.json()["id"])

    assert job["error"]["code"] == "fetch_blocked"
    assert _Media.seen == []


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ({"url": "http://127.0.0.1/a"}, "fetch_blocked"),
        ({"url": "http://169.254.169.254/latest/meta-data"}, "fetch_blocked"),
        ({"url": "http://[::ffff:127.0.0.1]/a"}, "fetch_blocked"),
        ({"url": "http://10.0.0.1/a"}, "fetch_blocked"),
        ({"url": "http://2130706433/a"}, "invalid_source"),
        ({"url": "http://0177.0.0.1/a"}, "invalid_source"),
        ({"url": "ftp://example.org/a"}, "invalid_source"),
        ({"url": "file:///etc/passwd"}, "invalid_source"),
        ({"url": "http://user:pass@example.org/a"}, "invalid_source"),
        ({"url": "http://example.org/a", "headers": {"Host": "x"}}, "invalid_source"),
        ({"url": "http://example.org/a", "headers": {"X": "a\r\nb"}}, "invalid_source"),
        ({"url": "http://example.org/a", "s3_uri": "s3://bucket/key"}, "invalid_source"),
        ({}, "invalid_source"),
        ({"s3_uri": "s3://somebody-elses/key"}, "invalid_source"),
        ({"upload_id": "upl_" + "0" * 32, "headers": {}}, "invalid_source"),
        ({"path": "/etc/passwd"}, "invalid_options"),
    ],
)
def test_a_source_that_cannot_be_is_refused_before_anything_is_kept(
    api: httpx.Client, source: dict[str, Any], code: str
) -> None:
    answer = api.post("/v1/jobs", json={"source": source})

    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert "pass@" not in answer.text
    assert api.get("/v1/jobs").json()["data"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 422),
        (b'{"source": {"url": "http://example.org"}, "unknown": 1}', 422),
        (b'{"source": {"url": "http://example.org"}, "task": "sing"}', 422),
        (
            b'{"source": {"url": "http://e.org"}, "task": "transcribe", "options": {"task": "x"}}',
            422,
        ),
        (
            b'{"source": {"url": "http://e.org"}, "language": "de", "options": {"language": "en"}}',
            422,
        ),
        (b"[" * 100_000, 400),
        (b'"' + b"x" * (10 * 1024 * 1024) + b'"', 413),
    ],
)
def test_json_that_asks_for_nothing_is_refused(api: httpx.Client, body: bytes, status: int) -> None:
    answer = api.post("/v1/jobs", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == status, answer.text[:300]


def test_objects_of_listed_buckets_are_read_and_never_those_of_our_own(
    trusting_api: SecondApi, start_worker: StartWorker, ended: Ended, files: JobFiles
) -> None:
    files._s3.create_bucket(Bucket="whisperline-archive")
    files._s3.put_object(Bucket="whisperline-archive", Key="2026/talk.wav", Body=SCRIPT)
    start_worker()

    url = trusting_api.url
    job = ended(ask(url, source={"s3_uri": "s3://whisperline-archive/2026/talk.wav"}).json()["id"])
    none = ended(ask(url, source={"s3_uri": "s3://whisperline-archive/none"}).json()["id"])
    own = ask(url, source={"s3_uri": "s3://whisperline/jobs/x/media"})

    assert (job["status"], job["media"]["filename"]) == ("succeeded", "talk.wav")
    assert none["error"]["code"] == "fetch_failed"
    assert own.status_code == 422
