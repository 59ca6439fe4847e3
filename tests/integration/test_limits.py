"""How much one owner may ask for."""

import socket
import threading
from collections.abc import Callable

import httpx
import pytest
import redis

from deploy.local.stack import Stack
from tests.integration.second_api import SecondApi

StartSecondApi = Callable[..., SecondApi]
FORBIDDEN = ("unsupported format", "invalid", "bad request", "unauthorized", "file too large")


@pytest.fixture(scope="module")
def small(start_second_api: StartSecondApi) -> SecondApi:
    return start_second_api(
        MAX_QUEUED_PER_OWNER="3", REQUESTS_PER_MINUTE="40", MAX_FILE_SIZE_MB="1"
    )


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


def post(url: str, content: bytes = b"{}") -> httpx.Response:
    return httpx.post(f"{url}/v1/jobs", files={"file": ("a.wav", content)}, timeout=30)


def test_an_owner_has_no_more_jobs_waiting_than_allowed(small: SecondApi) -> None:
    answers = [post(small.url) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
    refused = answers[-1]
    assert refused.json()["code"] == "queue_full"
    assert int(refused.headers["retry-after"]) > 0
    first = answers[0].json()["id"]
    httpx.post(f"{small.url}/v1/jobs/{first}/cancel")
    assert post(small.url).status_code == 202


def test_of_many_at_once_only_as_many_as_allowed_are_taken(small: SecondApi) -> None:
    barrier = threading.Barrier(10)
    statuses: list[int] = []

    def send() -> None:
        barrier.wait()
        statuses.append(post(small.url).status_code)

    threads = [threading.Thread(target=send) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(statuses) == {202, 429}
    listed = httpx.get(f"{small.url}/v1/jobs").json()["data"]
    assert len(listed) == statuses.count(202) <= 3


def test_a_drop_in_client_is_told_in_words_that_make_it_try_again(small: SecondApi) -> None:
    for _ in range(3):
        post(small.url)

    refused = httpx.post(f"{small.url}/asr", files={"audio_file": ("a.wav", b"{}")}, timeout=30)

    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert not any(word in refused.text.lower() for word in FORBIDDEN)


def test_every_answer_says_how_many_requests_are_left_and_the_last_one_when(
    small: SecondApi,
) -> None:
    answers = [httpx.get(f"{small.url}/v1/jobs") for _ in range(45)]

    left = [int(answer.headers["ratelimit-remaining"]) for answer in answers]
    assert left[:3] == [39, 38, 37]
    assert answers[0].headers["ratelimit-limit"] == "40"
    assert answers[0].headers["ratelimit-policy"] == '"owner";q=40;w=60'
    assert answers[0].headers["ratelimit"].startswith('"owner";r=39;t=')
    refused = answers[-1]
    assert refused.status_code == 429
    assert refused.json()["code"] == "rate_limit_exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert httpx.get(f"{small.url}/health").status_code == 200


@pytest.mark.parametrize("path", ["/v1/jobs", "/asr", "/v1/audio/transcriptions"])
def test_an_upload_over_the_limit_is_refused_before_its_body(small: SecondApi, path: str) -> None:
    port = int(small.url.rpartition(":")[2])
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {10 * 1024**3}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(head.encode())  # and nothing of the body
        answer = b"".join(iter(lambda: client.recv(65_536), b"")).decode()

    assert answer.startswith("HTTP/1.1 413 "), answer
    assert "file too large" in answer


def test_ten_thousand_fields_are_refused_and_the_next_request_works(
    api: httpx.Client, stack: Stack
) -> None:
    fields = "".join(
        f'--x\r\nContent-Disposition: form-data; name="f{n}"\r\n\r\nv\r\n' for n in range(10_000)
    )
    for path in ("/v1/jobs", "/asr", "/v1/audio/transcriptions"):
        answer = httpx.post(
            f"{stack.url}{path}",
            content=f"{fields}--x--\r\n".encode(),
            headers={"content-type": "multipart/form-data; boundary=x"},
            timeout=30,
        )
        assert answer.status_code == 413, path
    assert api.get("/health").status_code == 200
