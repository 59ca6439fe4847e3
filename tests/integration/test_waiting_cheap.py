"""Five hundred clients wait: each holds a thread, but none a connection to Redis."""

import json
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import redis

from api.settings import ApiSettings
from deploy.local.processes import Process
from deploy.local.servers import LOOPBACK
from deploy.local.stack import Stack
from tests.integration.second_api import SecondApi
from tests.integration.test_slow_clients import assert_health_answers

Submit = Callable[..., dict[str, Any]]
StartWorker = Callable[..., Process]

CLIENTS = 500
JOBS = 5  # of each kind of client; those that wait for the same one are woken together
PROCESSES = ApiSettings.model_fields["api_processes"].default
BATCH = 50  # clients that come at once
SECONDS = 60  # for all of it


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


def waiting_get(job_id: str) -> bytes:
    return (
        f"GET /v1/jobs/{job_id}?wait=60 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    ).encode()


def waiting_asr(number: int) -> bytes:
    """Return a request; those of the same number share a job."""
    script = json.dumps({"say": f"number {number}"})
    body = (
        '--x\r\nContent-Disposition: form-data; name="audio_file"; filename="a.wav"\r\n\r\n'
        f"{script}\r\n--x--\r\n"
    )
    return (
        "POST /asr?output=json HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(body)}\r\n\r\n"
        f"{body}"
    ).encode()


def is_quiet(valkey: "redis.Redis") -> bool:
    """Whether nobody but this test sends commands: who has arrived, waits."""
    first, second = (valkey.info("stats")["total_commands_processed"] for _ in range(2))
    return bool(second - first == 1)


class Waiting:
    """Many connections, each with one request under way, in one thread."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._received: dict[socket.socket, bytes] = {}
        self._open = selectors.DefaultSelector()

    def ask(self, request: bytes) -> None:
        client = socket.create_connection((LOOPBACK, self._port), timeout=30)
        client.sendall(request)
        self._received[client] = b""
        self._open.register(client, selectors.EVENT_READ)

    def ended(self, *, within_seconds: float = 0) -> Iterator[bytes]:
        """Read what has come; signs of life end no answer."""
        for key, _ in self._open.select(timeout=within_seconds):
            client = key.fileobj
            assert isinstance(client, socket.socket)
            piece = client.recv(65536)
            self._received[client] += piece
            if not piece:
                self._open.unregister(client)
                yield self._received[client]

    def answers(self, *, before: float) -> Iterator[bytes]:
        """Read all of them to their ends, whichever speaks first."""
        while left := len(self._open.get_map()):
            assert time.monotonic() < before, f"{left} are not answered"
            yield from self.ended(within_seconds=1)

    def close(self) -> None:
        for client in self._received:
            client.close()
        self._open.close()


@pytest.fixture
def waiting(stack: Stack, api: httpx.Client) -> Iterator[Waiting]:
    found = Waiting(stack.ports.api)
    yield found
    found.close()


def test_five_hundred_clients_wait_on_one_subscription_a_process(
    stack: Stack,
    api: httpx.Client,
    valkey: "redis.Redis",
    waiting: Waiting,
    submit: Submit,
    start_worker: StartWorker,
) -> None:
    deadline = time.monotonic() + SECONDS
    ended, canceled = ([submit({})["id"] for _ in range(JOBS)] for _ in range(2))
    requests = [waiting_get(job_id) for job_id in (*ended, *canceled)]
    requests += [waiting_asr(number) for number in range(2 * JOBS)]
    for number in range(CLIENTS):
        waiting.ask(requests[number % len(requests)])
        if number % BATCH == BATCH - 1:
            SecondApi.wait_until(lambda: is_quiet(valkey))

    assert_health_answers(stack.ports.api, f"{CLIENTS} waiting clients")
    connections = len(valkey.client_list())
    subscriptions = len(valkey.client_list(_type="pubsub"))
    assert list(waiting.ended()) == []
    for job_id in canceled:
        assert api.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
    start_worker()
    found = list(waiting.answers(before=deadline))

    print(f"{connections} connections to Redis, {len(valkey.client_list())} afterwards")  # noqa: T201
    assert subscriptions == PROCESSES
    assert connections < CLIENTS // 2  # two pools, whoever waits
    assert {answer.split(b"\r\n")[0] for answer in found} == {b"HTTP/1.1 200 OK"}
    shares = [sum(said in answer for answer in found) for said in WORDS]
    assert shares == [CLIENTS // 4, CLIENTS // 4, CLIENTS // 2]


WORDS = (b'"status":"succeeded"', b'"status":"canceled"', b'"segments"')
