"""Threads that work, and one that decides."""

import threading
from collections.abc import Callable

import pytest

from client.crew import Crew
from client.errors import ServiceUnreachable


def test_what_is_ready_is_fetched_while_everybody_who_sends_is_asleep() -> None:
    is_awake = threading.Event()
    done: list[str] = []
    with Crew(parallel=2) as crew:
        for _ in range(5):
            crew.send(is_awake.wait, lambda result: done.append(f"sent {result()}"))
        crew.fetch(lambda: "transcript", lambda result: done.append(result()))
        crew.await_some(at_most_seconds=30)

        assert done == ["transcript"]
        is_awake.set()
        while not crew.is_idle:
            crew.await_some(at_most_seconds=30)
    assert done == ["transcript"] + ["sent True"] * 5


def test_an_error_is_met_where_its_result_is_asked_for() -> None:
    asked: list[Callable[[], str]] = []

    def fail() -> str:
        raise ServiceUnreachable

    with Crew(parallel=1) as crew:
        crew.send(fail, lambda result: None)  # nobody asks
        crew.await_some(at_most_seconds=30)
        crew.follow(fail, asked.append)
        crew.await_some(at_most_seconds=30)
    with pytest.raises(ServiceUnreachable):
        asked[0]()
