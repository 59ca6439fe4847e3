import socket
import threading
from collections.abc import Iterator

import pytest

from api import stalls
from api.stalls import MIN_BYTES_PER_SECOND, Pace, PatientSocket
from jobs.request_errors import UploadStalled

Pair = tuple[PatientSocket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The server's end and the client's."""
    accepted, client = socket.socketpair()
    server = PatientSocket.of(accepted)
    client.settimeout(10)
    yield server, client
    server.close()
    client.close()


def test_a_body_may_pause_as_long_as_a_window_brings_enough() -> None:
    pace = Pace(window_seconds=30)
    for _ in range(10):
        pace.count(0, seconds=29)
        pace.count(30 * MIN_BYTES_PER_SECOND, seconds=1)

    assert pace.left_seconds == 30


def test_a_byte_now_and_then_is_not_enough() -> None:
    pace = Pace(window_seconds=30)
    pace.count(1, seconds=15)

    with pytest.raises(UploadStalled, match="500 bytes a second"):
        pace.count(1, seconds=15)


def test_a_window_does_not_live_on_what_an_earlier_one_brought() -> None:
    pace = Pace(window_seconds=30)
    pace.count(10**9, seconds=30)

    with pytest.raises(UploadStalled):
        pace.count(0, seconds=30)


def test_a_client_that_stops_in_the_middle_is_given_up(pair: Pair) -> None:
    server, client = pair
    server.begin_request(window_seconds=0.1, owes_continue=False)
    client.sendall(b"abc")

    assert server.recv(10) == b"abc"
    with pytest.raises(UploadStalled):
        server.recv(10)


def test_a_client_that_drips_is_given_up(pair: Pair) -> None:
    server, client = pair
    server.begin_request(window_seconds=0.2, owes_continue=False)
    over = threading.Event()

    def drip() -> None:
        while not over.wait(0.02):
            client.sendall(b".")

    dripper = threading.Thread(target=drip)
    dripper.start()
    try:
        with pytest.raises(UploadStalled):
            list(iter(lambda: server.recv(10), b""))
    finally:
        over.set()
        dripper.join()


def test_the_end_of_a_body_is_no_stall(pair: Pair) -> None:
    server, client = pair
    server.begin_request(window_seconds=0.1, owes_continue=False)
    client.close()

    assert server.recv(10) == b""


def test_a_client_is_told_to_continue_once_and_only_when_its_body_is_wanted(pair: Pair) -> None:
    server, client = pair
    server.begin_request(window_seconds=5, owes_continue=True)
    client.sendall(b"ab")

    assert server.recv(1) + server.recv(1) == b"ab"
    server.sendall(b"done")
    assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\ndone"


def test_a_client_that_is_refused_unread_is_not_told_to_continue(pair: Pair) -> None:
    server, client = pair
    server.begin_request(window_seconds=5, owes_continue=True)
    server.sendall(b"no")

    assert client.recv(100) == b"no"


def test_a_client_that_does_not_read_is_cut_off(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stalls, "SEND_SECONDS", 0.1)
    server, _ = pair

    with pytest.raises(BrokenPipeError):
        server.sendall(bytes(8 * 1024**2))


def test_a_client_that_reads_slowly_gets_all_however_long_it_takes(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stalls, "SEND_SECONDS", 0.5)
    server, client = pair
    sent = bytes(range(256)) * 8192  # 2 MiB
    got = bytearray()
    slow = threading.Event()

    def read() -> None:
        while len(got) < len(sent):
            slow.wait(0.04)  # never set: 32 pieces take over a second, more than SEND_SECONDS
            got.extend(client.recv(64 * 1024))

    reader = threading.Thread(target=read)
    reader.start()
    server.sendall(sent)
    reader.join()

    assert bytes(got) == sent


def test_lingering_takes_what_still_comes_until_the_client_closes(pair: Pair) -> None:
    server, client = pair
    server.sendall(b"413")
    lingering = threading.Thread(target=server.linger)
    lingering.start()
    client.sendall(bytes(4 * 1024**2))

    assert client.recv(10) == b"413"
    assert client.recv(10) == b""
    client.close()
    lingering.join(timeout=10)
    assert not lingering.is_alive()
