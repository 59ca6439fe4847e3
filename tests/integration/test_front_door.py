"""What clients send wrong, and how they are told, through the real API."""

import json
import socket
from collections.abc import Callable

import httpx
import pytest
import redis

from deploy.local.processes import Process
from deploy.local.stack import Stack
from jobs.files import JobFiles
from jobs.options import Priority
from jobs.store import JobStore

StartWorker = Callable[[], Process]
SCRIPT = json.dumps({"say": "hello"}).encode()


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


def post(
    api: httpx.Client, content: bytes = SCRIPT, name: str = "a.wav", **fields: str
) -> httpx.Response:
    return api.post("/v1/jobs", data=fields, files={"file": (name, content)})


@pytest.mark.parametrize(
    ("fields", "status", "code", "said"),
    [
        ({"model": "huge"}, 400, "unknown_model", "large-v3"),
        ({"model": "../../etc/passwd"}, 422, "invalid_options", "model"),
        ({"model": "someone/some-model"}, 422, "invalid_options", "model"),
        ({"language": "klingon"}, 422, "invalid_options", "unknown language"),
        ({"model": "tiny.en", "language": "de"}, 422, "invalid_options", "English only"),
        ({"task": "sing"}, 422, "invalid_options", "task"),
        ({"min_speakers": "3", "max_speakers": "2"}, 422, "invalid_options", "min_speakers"),
        ({"num_speakers": "0"}, 422, "invalid_options", "num_speakers"),
        ({"langauge": "de"}, 422, "invalid_options", "langauge"),
        ({"diarize": "perhaps"}, 422, "invalid_options", "diarize"),
        ({"options": "{"}, 400, "malformed_request", "JSON"),
        ({"options": '{"language": "en"}', "language": "de"}, 422, "invalid_options", "twice"),
        ({"options": "[]"}, 400, "malformed_request", "object"),
        ({"metadata": "nonsense"}, 400, "malformed_request", "metadata"),
    ],
)
def test_a_wrong_option_is_refused_with_its_name_and_nothing_is_stored(
    api: httpx.Client,
    store: JobStore,
    files: JobFiles,
    fields: dict[str, str],
    status: int,
    code: str,
    said: str,
) -> None:
    before = _stored(files)

    answer = api.post("/v1/jobs", data=fields, files={"file": ("a.wav", SCRIPT)})

    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["code"]) == (status, code)
    assert problem["status"] == status
    assert said in problem["detail"]
    assert store.depth(Priority.NORMAL) == 0
    assert _stored(files) == before


def _stored(files: JobFiles) -> int:
    return int(files._s3.list_objects_v2(Bucket=files._bucket)["KeyCount"])


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/plain", b"{}", 415),
        ("multipart/form-data; boundary=x", b"nothing of the kind", 400),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 400),
        ("multipart/form-data", b"", 415),
    ],
)
def test_a_body_that_is_no_form_is_refused(
    api: httpx.Client, content_type: str, body: bytes, status: int
) -> None:
    answer = api.post("/v1/jobs", content=body, headers={"content-type": content_type})

    assert answer.status_code == status
    assert answer.json()["status"] == status


def test_an_empty_file_is_refused(api: httpx.Client) -> None:
    answer = post(api, b"")

    assert (answer.status_code, answer.json()["code"]) == (400, "empty_media")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\talk.mp3", "talk.mp3"),
        ("é" * 300 + ".mp3", "é" * 196 + ".mp3"),
        ("..", "media"),
    ],
)
def test_a_file_name_is_shown_without_folders_and_never_too_long(
    api: httpx.Client, sent: str, shown: str
) -> None:
    answer = post(api, name=sent)

    assert answer.status_code == 202
    assert answer.json()["media"]["filename"] == shown


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/jobs/job_unknown", 404, "job_not_found"),
        ("/v1/jobs/job_unknown/transcript", 404, "job_not_found"),
        ("/v1/jobs/job_unknown?wait=1000", 422, "invalid_request"),
        ("/v1/jobs?limit=0", 422, "invalid_request"),
        ("/v1/jobs?unknown=1", 422, "invalid_request"),
        ("/v1/jobs?cursor=nope", 422, "invalid_request"),
        ("/nowhere", 404, "not_found"),
        ("/v1/jobs/" + "x" * 300, 404, "job_not_found"),
    ],
)
def test_every_error_has_the_same_shape(
    api: httpx.Client, path: str, status: int, code: str
) -> None:
    answer = api.get(path)

    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert {"type", "title", "status", "detail", "instance"} <= answer.json().keys()


def test_options_in_the_query_of_a_submission_are_refused_not_ignored(api: httpx.Client) -> None:
    files = {"file": ("a.wav", SCRIPT)}

    for answer in (
        api.post("/v1/jobs?language=de", files=files),
        api.put("/v1/jobs/mine?language=de", files=files),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_options")
        assert "language" in answer.json()["detail"]


def test_no_answer_leads_to_a_host_that_the_client_named(api: httpx.Client) -> None:
    answer = api.get("/v1//jobs", headers={"Host": "evil.example"})

    assert answer.status_code == 404
    assert "location" not in answer.headers


def test_a_content_type_that_is_none_is_not_kept(api: httpx.Client) -> None:
    answer = api.post("/v1/jobs", files={"file": ("a.wav", SCRIPT, "a" * 20_000)})

    assert answer.status_code == 202
    assert answer.json()["media"]["content_type"] is None


def test_a_wrong_method_names_the_right_ones(api: httpx.Client) -> None:
    answer = api.put("/v1/jobs", content=b"")

    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


def test_a_transcript_that_is_not_ready_is_a_conflict_that_tells_the_status(
    api: httpx.Client,
) -> None:
    job = post(api).json()

    early = api.get(f"/v1/jobs/{job['id']}/transcript")
    unknown = api.get(f"/v1/jobs/{job['id']}/transcript", params={"format": "pdf"})

    assert (early.status_code, early.json()["job_status"]) == (409, "queued")
    assert (unknown.status_code, unknown.json()["code"]) == (400, "unknown_format")
    assert "srt" in unknown.json()["detail"]


def test_a_submitted_job_says_where_to_look_and_how_many_go_first(api: httpx.Client) -> None:
    first, second = post(api), post(api)

    assert first.headers["location"].endswith(f"/v1/jobs/{first.json()['id']}")
    assert int(first.headers["retry-after"]) > 0
    assert [job.json()["queue_position"] for job in (first, second)] == [0, 1]
    assert not {"owner", "lease"} & first.json().keys()


def test_jobs_are_listed_in_pages(api: httpx.Client) -> None:
    ids = [post(api).json()["id"] for _ in range(5)]

    first = api.get("/v1/jobs", params={"limit": 3}).json()
    second = api.get("/v1/jobs", params={"limit": 3, "cursor": first["next_cursor"]}).json()

    assert [job["id"] for job in first["data"] + second["data"]] == ids[::-1]
    assert (first["has_more"], second["has_more"], second["next_cursor"]) == (True, False, None)


def test_waiting_ends_with_the_job_or_with_the_time(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    job = post(api).json()

    assert api.get(f"/v1/jobs/{job['id']}", params={"wait": 0.2}).json()["status"] == "queued"
    start_worker()
    assert api.get(f"/v1/jobs/{job['id']}", params={"wait": 20}).json()["status"] == "succeeded"


def test_health_tells_of_workers_and_ready_of_the_stores(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    assert api.get("/health").json()["status"] == "degraded"
    start_worker()

    assert api.get("/health").json()["status"] == "healthy"
    assert api.get("/ready").json()["checks"] == {"redis": "ok", "storage": "ok"}
    assert api.get("/").json()["status"] == "running"


@pytest.mark.parametrize("body", [b"zz\r\n", b"-5\r\n", b"5\r\nabcdeXX", b"a\r\nabc"])
def test_a_broken_chunk_is_the_clients_fault(stack: Stack, api: httpx.Client, body: bytes) -> None:
    head = (
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", stack.ports.api), timeout=10) as client:
        client.sendall(head + body)
        client.shutdown(socket.SHUT_WR)
        answer = client.recv(4096)

    assert answer.startswith(b"HTTP/1.1 400 "), answer


def test_a_path_cannot_write_lines_of_its_own_into_the_log(stack: Stack, api: httpx.Client) -> None:
    api.get("/v1/jobs/x%0Aforged%1b[31m")

    (log,) = [process.log for process in stack.processes if process.name == "api"]
    text = log.read_text()
    assert "/v1/jobs/x%0Aforged%1B" in text
    assert "\x1b" not in text


def test_nobody_gets_past_the_s3_gateway(stack: Stack, api: httpx.Client) -> None:
    job = post(api).json()
    _, _, _, _, _, filer, _ = stack.seaweedfs.inner_ports
    path = f"/buckets/whisperline/jobs/{job['id']}/media"

    assert httpx.get(f"http://127.0.0.1:{filer}{path}").status_code == 401
    assert httpx.delete(f"http://127.0.0.1:{filer}{path}").status_code == 401
    assert httpx.get(f"{stack.seaweedfs.url}/whisperline/jobs/{job['id']}/media").status_code == 403


def test_what_the_stack_keeps_is_for_its_user_alone(stack: Stack, api: httpx.Client) -> None:
    assert stack.directory.stat().st_mode & 0o077 == 0
    assert all(process.log.stat().st_mode & 0o077 == 0 for process in stack.processes)
