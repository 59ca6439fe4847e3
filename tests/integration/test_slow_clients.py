"""Clients that are slow, rude or many, against the real API: it goes on answering the others."""

import json
import select
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from api.connections import abort
from deploy.local.servers import LOOPBACK, free_ports, is_listening
from deploy.local.stack import Stack
from tests.integration.second_api import SecondApi

Submit = Callable[..., dict[str, Any]]
BREAKING_OFF = "tests.integration.test_slow_clients:breaking_off"
UPLOAD = (
    b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF'
)


def breaking_off(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """An app whose answer ends before it is complete."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"half of it"
    abort(environ)


@contextmanager
def served(stack: Stack, app: str = "api.wsgi:app", **variables: str) -> Iterator[int]:
    """Run an app like the API, with settings of its own; yield its port."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "gunicorn", "--config", "api/gunicorn_conf.py"]
    command += ["--bind", f"{LOOPBACK}:{port}", app]
    process = stack.start(
        f"served-{port}",
        command,
        ready=lambda: is_listening(port),
        seconds=60,
        variables=variables,
    )
    yield port
    process.stop(within_seconds=5)


@contextmanager
def clients(port: int, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """Connect so many clients that all send the same and then nothing more."""
    with ExitStack() as opened:
        found = [opened.enter_context(connect(port)) for _ in range(count)]
        for client in found:
            client.sendall(sent)
        yield found


def connect(port: int) -> socket.socket:
    return socket.create_connection((LOOPBACK, port), timeout=30)


def answer_of(client: socket.socket) -> tuple[int, dict[str, str], Any]:
    """Return status, headers and JSON of an answer that ends its connection."""
    received = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in rest)
    return int(first.split()[1]), headers, json.loads(body)


def drip(client: socket.socket, head: bytes) -> bytes:
    """Send a head, then a byte now and then until an answer begins; b"" if there is none."""
    client.sendall(head)
    client.settimeout(0.05)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            client.sendall(b".")
            return client.recv(4096)
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            return b""
    pytest.fail("nobody cut the dripper")


def assert_health_answers(port: int, what: str, times: int = 200) -> None:
    """Ask over new connections, as a load balancer does; the timing is printed only."""
    seconds = []
    with httpx.Client(timeout=20, headers={"Connection": "close"}) as client:
        for _ in range(times):
            began = time.monotonic()
            assert client.get(f"http://{LOOPBACK}:{port}/health").status_code == 200
            seconds.append(time.monotonic() - began)
    seconds = sorted(seconds[1:])  # the first may have waited for the process to start
    median, last = (1000 * seconds[int(share * len(seconds))] for share in (0.5, 0.99))
    print(f"/health beside {what}: median {median:.0f} ms, p99 {last:.0f} ms")  # noqa: T201


def log_of(stack: Stack, name: str) -> str:
    (log,) = [process.log for process in stack.processes if process.name == name]
    return log.read_text()


def test_half_sent_heads_stop_nobody(stack: Stack, api: httpx.Client) -> None:
    with clients(stack.ports.api, 500, b"GET /health HTTP/1.1\r\nX-Slow: ") as slow:
        assert_health_answers(stack.ports.api, "500 half heads")
        assert not select.select(slow, [], [], 0)[0]


def test_heads_that_do_not_end_are_cut(stack: Stack) -> None:
    head = b"GET /health HTTP/1.1\r\nX-Slow: "
    with (
        served(stack, API_PROCESSES="1", UPLOAD_STALL_SECONDS="1") as port,
        connect(port) as silent,
        connect(port) as dripping,
        clients(port, 20, head) as stopped,
    ):
        assert drip(dripping, head) == b""
        assert silent.recv(1) == b""
        for client in stopped:
            with pytest.raises(ConnectionResetError):
                client.recv(1)


def test_stalled_uploads_stop_nobody(stack: Stack, api: httpx.Client) -> None:
    with clients(stack.ports.api, 200, UPLOAD) as stalled:
        assert_health_answers(stack.ports.api, "200 stalled uploads")
        assert not select.select(stalled, [], [], 0)[0]


def test_waiting_clients_stop_nobody_and_all_get_their_answer(
    stack: Stack, api: httpx.Client, submit: Submit
) -> None:
    job = submit({"say": "hello"})
    asked = (
        f"GET /v1/jobs/{job['id']}?wait=30 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    )
    with clients(stack.ports.api, 500, asked.encode()) as waiting:
        assert_health_answers(stack.ports.api, "500 waiting clients")
        assert not select.select(waiting, [], [], 0)[0]
        assert api.delete(f"/v1/jobs/{job['id']}").status_code == 204

        assert {answer_of(client)[0] for client in waiting} == {410}


def test_uploads_beyond_their_share_of_the_threads_are_told_to_come_again(stack: Stack) -> None:
    with (
        served(stack, API_PROCESSES="2", API_THREADS="8") as port,
        clients(port, 12, UPLOAD) as stalled,
    ):
        assert_health_answers(port, "12 stalled uploads on 2 x 8 threads", times=30)
        # A quarter of each process' threads takes uploads; all others are refused.
        SecondApi.wait_until(lambda: len(select.select(stalled, [], [], 0)[0]) >= len(stalled) - 4)
        for client in select.select(stalled, [], [], 0)[0]:
            status, headers, problem = answer_of(client)
            assert (status, problem["code"]) == (503, "too_many_waiting")
            assert int(headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (b"GET /" + b"x" * 1024**2, 414, "uri_too_long"),
        (b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 10_000, 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 200 + b"\r\n", 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\nX-A: " + b"b" * 100 * 1024**2, 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\nAuthorization Bearer s3cret\r\n\r\n", 400, "malformed_request"),
        (b"GET /\r\n\r\n", 400, "malformed_request"),
        (b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n", 400, "malformed_request"),
    ],
    ids=[
        "line of 1 MB",
        "10,000 headers",
        "200 headers",
        "header of 100 MB",
        "no colon",
        "old",
        "lf",
    ],
)
def test_a_head_that_is_no_request_is_refused_as_a_problem(
    stack: Stack, api: httpx.Client, head: bytes, status: int, code: str
) -> None:
    with connect(stack.ports.api) as client:
        client.sendall(head)
        found, headers, told = answer_of(client)

    assert (found, told["status"], told["code"]) == (status, status, code)
    assert headers["content-type"] == "application/problem+json"
    assert "s3cret" not in log_of(stack, "api")


def test_a_client_that_is_still_sending_gets_its_refusal(stack: Stack, api: httpx.Client) -> None:
    head = UPLOAD.replace(b"1000000", b"1000000000000")
    with connect(stack.ports.api) as client:
        client.sendall(head + bytes(32 * 1024**2))
        status, headers, told = answer_of(client)

    assert (status, told["code"]) == (413, "too_large")
    assert headers["connection"] == "close"


def test_who_asks_before_sending_is_refused_without_being_told_to_go_on(
    stack: Stack, api: httpx.Client
) -> None:
    head = UPLOAD.partition(b"\r\n\r\n")[0] + b"\r\nExpect: 100-continue\r\n\r\n"
    with connect(stack.ports.api) as refused, connect(stack.ports.api) as welcome:
        refused.sendall(head.replace(b"1000000", b"1000000000000"))
        welcome.sendall(head)

        assert answer_of(refused)[0] == 413
        assert welcome.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize("request_line", [b"GET /health", b"POST /nowhere"])
def test_a_huge_body_that_nobody_wants_is_not_waited_for(
    stack: Stack, api: httpx.Client, request_line: bytes
) -> None:
    head = request_line + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000000000\r\n\r\n"
    with connect(stack.ports.api) as client:
        client.sendall(head)
        status, headers, _ = answer_of(client)

    assert status in (200, 404)
    assert headers["connection"] == "close"


def test_a_connection_is_kept_for_the_next_request_even_a_dripping_one(
    stack: Stack, api: httpx.Client
) -> None:
    asked = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    with connect(stack.ports.api) as client:
        # And half of the next one, sent ahead.
        client.sendall(asked.replace(b"GET", b"HEAD") + b"\r\n" + asked)
        assert b"Connection: keep-alive" in client.recv(65536)
        client.sendall(b"Connection: close\r\n")
        client.sendall(b"\r\n")

        assert answer_of(client)[0] == 200


def test_a_body_that_stalls_or_drips_is_cut_and_told_why(stack: Stack, api: httpx.Client) -> None:
    with (
        served(stack, API_PROCESSES="1", UPLOAD_STALL_SECONDS="1") as port,
        connect(port) as stopped,
        connect(port) as dripping,
    ):
        stopped.sendall(UPLOAD)
        received = drip(dripping, UPLOAD)
        status, headers, told = answer_of(stopped)

    assert received.startswith(b"HTTP/1.1 408 ")
    assert (status, told["code"], headers["connection"]) == (408, "upload_stalled", "close")


def test_an_answer_that_is_broken_off_does_not_look_complete(stack: Stack) -> None:
    with served(stack, BREAKING_OFF, API_PROCESSES="1") as port:
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            httpx.get(f"http://{LOOPBACK}:{port}/", timeout=30)
        with connect(port) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                list(iter(lambda: client.recv(4096), b""))
        log = log_of(stack, f"served-{port}")

    assert "Traceback" not in log
    assert log.count(" 200 ") == 2


def test_the_access_log_names_the_request(stack: Stack, api: httpx.Client) -> None:
    api.get("/health", headers={"X-Request-ID": "asked-by-me.1"})

    deadline = time.monotonic() + 10
    while "asked-by-me.1" not in log_of(stack, "api"):  # the line comes after the answer
        assert time.monotonic() < deadline
