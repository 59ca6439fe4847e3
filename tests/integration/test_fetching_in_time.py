import socket
import time
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from threading import Event

import httpcore
import pytest

from jobs.connections import Watch, WatchedStream
from jobs.errors import SourceUnavailable
from jobs.outgoing import Outgoing
from tests.integration.small_internet import (
    HERE,
    Internet,
    Server,
    endless,
    fetch,
    raw,
    redirecting,
)


def test_endless_headers_are_cut() -> None:
    with (
        Server(endless(b"HTTP/1.1 200 OK\r\nA: ", piece=b"a" * 10_000)) as server,
        pytest.raises(SourceUnavailable),
    ):
        fetch(Internet({}, {HERE: server}), BytesIO())


@pytest.mark.parametrize(
    "head",
    [
        b"",  # accepts, then says one byte of nothing at a time
        b"HTTP/1.1 200 OK\r\nA: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
    ],
)
def test_a_server_that_drips_meets_the_deadline(head: bytes) -> None:
    with (
        Server(endless(head, piece=b"a", pause_seconds=0.01)) as server,
        pytest.raises(SourceUnavailable, match="did not answer in time") as failure,
    ):
        fetch(Internet({}, {HERE: server}), BytesIO(), timeout_seconds=0.3)

    assert "s3cret" not in failure.value.message


def test_redirects_share_one_deadline() -> None:
    over = Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        over.wait(0.12)
        redirecting("/")(handler)

    with Server(slow) as server, pytest.raises(SourceUnavailable, match="in time"):
        fetch(Internet({}, {HERE: server}), BytesIO(), timeout_seconds=0.3)
    over.set()


def test_a_fetch_can_be_stopped_while_the_server_is_silent() -> None:
    silent, over = Event(), Event()

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        silent.set()
        over.wait(60)

    def stop_when_silent(_received: int, _total: int | None) -> None:
        if silent.is_set():
            raise KeyError("canceled")

    with Server(reply) as server:
        with pytest.raises(KeyError, match="canceled"):
            fetch(Internet({}, {HERE: server}), BytesIO(), on_progress=stop_when_silent)
        over.set()


def test_a_pause_loses_no_byte() -> None:
    half, ticks = Event(), []

    def tick(received: int, _total: int | None) -> None:
        ticks.append(received)
        if ticks.count(3) == 2:  # asked again while nothing came
            half.set()

    target = BytesIO()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
    with Server(raw(head, b"abc", b"def", until=half)) as server:
        fetch(Internet({}, {HERE: server}), target, on_progress=tick)

    assert target.getvalue() == b"abcdef"


def test_a_webhook_s_status_counts_though_its_body_drips() -> None:
    body = endless(b"HTTP/1.1 200 OK\r\n\r\n", piece=b"a", pause_seconds=0.01)
    with Server(body) as server:
        answer = Outgoing(
            allow_private_addresses=False, backend=Internet({}, {HERE: server})
        ).request(
            "POST", f"http://{HERE}/hook", {}, b"{}", timeout_seconds=0.5, max_answer_bytes=10_000
        )

    assert answer.status == 200
    assert set(answer.body) <= set(b"a")


def test_a_server_that_falls_silent_is_given_up_before_the_deadline() -> None:
    ticks: list[None] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = httpcore.SyncBackend().connect_tcp(*listener.getsockname())
        watch = Watch(time.monotonic() + 5, lambda: ticks.append(None))
        with pytest.raises(httpcore.ReadTimeout):
            WatchedStream(silent, watch).read(1, timeout=0.05)
        silent.close()

    assert len(ticks) == 2  # before the wait, and after it
