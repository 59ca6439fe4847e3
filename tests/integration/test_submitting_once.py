"""A request that is sent twice makes one job."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis

from deploy.local.processes import Process
from deploy.local.stack import Stack

StartWorker = Callable[[], Process]
SCRIPT = b'{"say": "hello"}'


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


def post(
    api: httpx.Client, content: bytes = SCRIPT, *, key: str | None = None, **fields: str
) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key is not None else {}
    return api.post("/v1/jobs", data=fields, files={"file": ("a.wav", content)}, headers=headers)


def put(api: httpx.Client, name: str, content: bytes = SCRIPT, **fields: str) -> httpx.Response:
    return api.put(f"/v1/jobs/{name}", data=fields, files={"file": ("a.wav", content)})


def listed(api: httpx.Client) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = api.get("/v1/jobs", params={"limit": 100}).json()["data"]
    return data


def test_the_same_key_and_body_are_the_same_job(api: httpx.Client) -> None:
    first, second = post(api, key="k", language="en"), post(api, key="k", language="en")

    assert first.status_code == second.status_code == 202
    assert first.json()["id"] == second.json()["id"]
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert len(listed(api)) == 1


@pytest.mark.parametrize(
    ("content", "fields"), [(b'{"say": "other"}', {}), (SCRIPT, {"language": "de"})]
)
def test_the_same_key_with_another_body_is_refused(
    api: httpx.Client, content: bytes, fields: dict[str, str]
) -> None:
    post(api, key="k")

    other = post(api, content, key="k", **fields)

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert len(listed(api)) == 1


def test_without_a_key_or_with_another_one_the_same_body_is_another_job(api: httpx.Client) -> None:
    answers = [post(api), post(api), post(api, key="a"), post(api, key="b")]

    assert len({answer.json()["id"] for answer in answers}) == 4


def test_a_key_that_failed_may_be_used_again(api: httpx.Client) -> None:
    assert post(api, key="k", language="klingon").status_code == 422
    assert post(api, b"", key="k").status_code == 400

    assert post(api, key="k").status_code == 202


def test_while_the_first_is_still_received_the_second_waits_its_turn(
    stack: Stack, api: httpx.Client, valkey: "redis.Redis"
) -> None:
    head = (
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n"
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nbegin'
    )
    with socket.create_connection(("127.0.0.1", stack.ports.api), timeout=10) as slow:
        slow.sendall(head)
        _wait_until_taken(valkey)
        early = post(api, key="k")
        assert (early.status_code, early.json()["code"]) == (409, "submission_in_progress")
    # It went away in the middle: what it took is free again.
    deadline = time.monotonic() + 20
    while (late := post(api, key="k")).status_code == 409:
        assert time.monotonic() < deadline

    assert late.status_code == 202


def _wait_until_taken(valkey: "redis.Redis") -> None:
    deadline = time.monotonic() + 10
    while not list(valkey.scan_iter("whisperline:name:*")):
        assert time.monotonic() < deadline


def test_many_at_once_with_one_key_make_one_job(api: httpx.Client, stack: Stack) -> None:
    barrier = threading.Barrier(8)
    answers: list[httpx.Response] = []

    def send() -> None:
        barrier.wait()
        with httpx.Client(base_url=stack.url, timeout=30) as client:
            answers.append(post(client, key="k"))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({a.json()["id"] for a in answers if a.status_code == 202}) == 1
    assert len(listed(api)) == 1


def test_a_job_answers_to_the_id_its_owner_gave_it(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    start_worker()
    made = put(api, "meeting-2026:11.22")
    again = put(api, "meeting-2026:11.22")
    other = put(api, "meeting-2026:11.22", b"{}")

    assert made.status_code == 202
    assert made.json()["client_id"] == "meeting-2026:11.22"
    assert again.json()["id"] == made.json()["id"]
    assert again.headers["idempotent-replayed"] == "true"
    assert other.status_code == 422
    followed = api.get("/v1/jobs/meeting-2026:11.22", params={"wait": 30}).json()
    assert (followed["id"], followed["status"]) == (made.json()["id"], "succeeded")
    srt = api.get("/v1/jobs/meeting-2026:11.22/transcript", params={"format": "srt"})
    assert "hello" in srt.text
    assert api.delete("/v1/jobs/meeting-2026:11.22").status_code == 204
    assert api.get("/v1/jobs/meeting-2026:11.22").status_code == 410
    assert put(api, "meeting-2026:11.22").status_code == 410


@pytest.mark.parametrize("name", ["a b", "é", "-x", "x" * 129, "job_mine", "job_" + "0" * 32])
def test_an_id_that_would_need_quoting_is_refused(api: httpx.Client, name: str) -> None:
    assert put(api, name).status_code == 422
