import logging
import socket
import threading
from collections.abc import Iterator

import pytest

from api.connections import HangUps, Slots, abort
from jobs.request_errors import TooManyWaiting

Pair = tuple[socket.socket, socket.socket]
SOON = 10.0  # seconds; far more than it takes


@pytest.fixture
def hang_ups() -> HangUps:
    return HangUps()


def connected() -> Pair:
    """Return the server's end of a TCP connection and the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    client.settimeout(SOON)
    return server, client


@pytest.fixture
def pair() -> Iterator[Pair]:
    server, client = connected()
    yield server, client
    server.close()
    client.close()


def test_places_run_out_and_come_back() -> None:
    slots = Slots(2)
    first, second = slots.take(), slots.take()
    with pytest.raises(TooManyWaiting):
        slots.take()
    first.close()
    first.close()  # gives nothing back a second time

    with slots.take(), pytest.raises(TooManyWaiting):
        slots.take()
    second.close()


def test_a_place_comes_back_when_its_holder_fails() -> None:
    slots = Slots(1)
    with pytest.raises(ZeroDivisionError), slots.take():
        raise ZeroDivisionError

    slots.take().close()


def test_many_threads_never_hold_more_places_than_there_are() -> None:
    slots, lock = Slots(3), threading.Lock()
    holding, most = 0, 0

    def work() -> None:
        nonlocal holding, most
        for _ in range(300):
            try:
                place = slots.take()
            except TooManyWaiting:
                continue
            with place:
                with lock:
                    holding += 1
                    most = max(most, holding)
                with lock:
                    holding -= 1

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most <= 3
    for _ in range(3):
        slots.take()


def test_a_client_that_hangs_up_is_noticed_and_said_once(hang_ups: HangUps, pair: Pair) -> None:
    server, client = pair
    said: list[bool] = []
    called = threading.Event()

    def on_gone() -> None:
        said.append(gone.is_set())
        called.set()

    with hang_ups.watch(server, on_gone=on_gone) as gone:
        client.close()
        assert gone.wait(SOON)
        assert called.wait(SOON)

    assert said == [True]


def test_a_client_that_was_gone_before_is_noticed_too(hang_ups: HangUps, pair: Pair) -> None:
    server, client = pair
    client.close()

    with hang_ups.watch(server) as gone:
        assert gone.wait(SOON)


def test_a_reset_is_a_hang_up(hang_ups: HangUps, pair: Pair) -> None:
    server, client = pair
    server.sendall(b"never read, so closing resets the connection")
    with hang_ups.watch(server) as gone:
        client.close()

        assert gone.wait(SOON)


def test_a_client_that_sends_its_next_request_ahead_is_not_gone(
    hang_ups: HangUps, pair: Pair
) -> None:
    server, client = pair
    other_server, other_client = connected()
    with hang_ups.watch(server) as gone, hang_ups.watch(other_server) as other_gone:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        other_client.close()  # later, so the watcher has been past the first when it says so

        assert other_gone.wait(SOON)
        assert not gone.is_set()
        assert server.recv(100) == b"GET / HTTP/1.1\r\n\r\n"
        client.close()
        assert gone.wait(SOON)
    other_server.close()


def test_descriptors_that_are_used_again_do_not_inherit_a_hang_up(hang_ups: HangUps) -> None:
    for _ in range(300):
        gone_server, gone_client = connected()
        server, client = connected()
        with hang_ups.watch(gone_server):
            gone_client.close()
        gone_server.close()
        with hang_ups.watch(server) as gone:  # gets the descriptor that was just given back
            assert not gone.is_set()
            client.close()
            assert gone.wait(SOON)
        server.close()


def test_an_event_of_a_descriptors_former_life_counts_for_nothing(
    hang_ups: HangUps, pair: Pair
) -> None:
    server, client = pair
    with hang_ups.watch(server) as gone:
        (fd,) = hang_ups._watches

        assert hang_ups._hung_up(fd) is None
        client.close()
        assert gone.wait(SOON)
        assert hang_ups._hung_up(fd) is not None
    assert hang_ups._hung_up(fd) is None


def test_closing_the_servers_socket_first_disturbs_nobody(hang_ups: HangUps, pair: Pair) -> None:
    server, client = pair
    with hang_ups.watch(server) as gone:
        server.close()
        client.close()

        assert gone.wait(SOON)


def test_a_callback_that_fails_does_not_end_the_watch_of_others(
    hang_ups: HangUps, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    server, client = pair
    other_server, other_client = connected()

    def fail() -> None:
        raise ZeroDivisionError

    with (
        caplog.at_level(logging.ERROR),
        hang_ups.watch(server, on_gone=fail) as gone,
        hang_ups.watch(other_server) as other_gone,
    ):
        client.close()
        assert gone.wait(SOON)
        other_client.close()
        assert other_gone.wait(SOON)
    other_server.close()

    assert "a callback for hang-ups failed" in caplog.text


def test_without_a_server_nobody_hangs_up(hang_ups: HangUps) -> None:
    with hang_ups.watch(None) as gone:
        assert not gone.is_set()


def test_an_aborted_answer_arrives_up_to_where_it_broke_off(pair: Pair) -> None:
    server, client = pair
    server.sendall(b"half of it")
    abort({"gunicorn.socket": server, "SERVER_PROTOCOL": "HTTP/1.1"})

    with pytest.raises(BrokenPipeError):
        server.sendall(b"0\r\n\r\n")
    assert client.recv(100) == b"half of it"
    assert client.recv(100) == b""


def test_an_aborted_answer_without_chunks_ends_in_a_reset(pair: Pair) -> None:
    server, client = pair
    abort({"gunicorn.socket": server, "SERVER_PROTOCOL": "HTTP/1.0"})
    server.close()

    with pytest.raises(ConnectionResetError):
        client.recv(100)


def test_aborting_without_a_connection_does_nothing(pair: Pair) -> None:
    server, _ = pair
    server.close()

    abort({})
    abort({"gunicorn.socket": server})
