"""Of those who need a silent server one at a time tries; the others know at once."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.silence import HOLD_SECONDS, Silence


class Timeout(Exception):
    """What a silent server leads to."""


class Refused(Exception):
    """What those meet who must not ask."""


class Server:
    """A server as one process sees it, with a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.silence = Silence("the server", clock=lambda: self.now)
        self.asked = 0

    def ask(self, answer: Callable[[], None] = lambda: None) -> None:
        with self.silence.asking(refusal=Refused, timeouts=(Timeout,)):
            self.asked += 1
            answer()


def silent() -> None:
    raise Timeout


def broken() -> None:
    raise ConnectionError


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def silent_server(server: Server) -> Server:
    with pytest.raises(Timeout):
        server.ask(silent)
    return server


def test_after_a_timeout_nobody_asks_for_a_moment(silent_server: Server) -> None:
    with pytest.raises(Refused):
        silent_server.ask()

    assert silent_server.asked == 1


def test_afterwards_one_at_a_time_tries(silent_server: Server) -> None:
    silent_server.now += HOLD_SECONDS

    def meanwhile() -> None:
        with ThreadPoolExecutor(1) as other, pytest.raises(Refused):
            other.submit(silent_server.ask).result()

    silent_server.ask(meanwhile)

    assert silent_server.asked == 2


def test_a_trial_that_is_answered_lets_everybody_ask(silent_server: Server) -> None:
    silent_server.now += HOLD_SECONDS
    silent_server.ask()
    silent_server.ask()

    assert silent_server.asked == 3


def test_a_trial_that_is_not_answered_begins_another_moment(silent_server: Server) -> None:
    silent_server.now += HOLD_SECONDS
    with pytest.raises(Timeout):
        silent_server.ask(silent)
    with pytest.raises(Refused):
        silent_server.ask()


def test_a_server_that_refuses_at_once_spares_nobody(silent_server: Server) -> None:
    silent_server.now += HOLD_SECONDS
    for _ in range(2):
        with pytest.raises(ConnectionError):
            silent_server.ask(broken)


def test_who_asks_may_ask_more_than_one_thing(server: Server) -> None:
    server.ask(server.ask)

    assert server.asked == 2


def test_a_trial_whose_end_nobody_told_is_over_some_time(silent_server: Server) -> None:
    silent_server.now += HOLD_SECONDS
    assert not silent_server.silence.refuses()
    assert silent_server.silence.refuses()
    silent_server.now += 60

    assert not silent_server.silence.refuses()


def test_the_log_says_once_that_it_went_and_once_that_it_came(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        with pytest.raises(Timeout):
            server.ask(silent)
        server.now += HOLD_SECONDS
    server.ask()
    server.ask()

    assert caplog.messages == ["the server does not answer", "the server answers again"]
