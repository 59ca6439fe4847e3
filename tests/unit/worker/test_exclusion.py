import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from jobs.errors import HandedBack
from worker.exclusion import Exclusion

Way = Callable[[Callable[[], None]], AbstractContextManager[None]]
MOMENT = 0.3  # in which what may begin has begun, and what may not has not


def go_on() -> None:
    """Wait as long as it takes."""


class Visitor:
    """A job in a thread of its own."""

    def __init__(self, way: Way) -> None:
        self.is_in, self._leave = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._visit, args=(way,))
        self._thread.start()

    def _visit(self, way: Way) -> None:
        with way(go_on):
            self.is_in.set()
            self._leave.wait()

    def leave(self) -> None:
        self._leave.set()
        self._thread.join()


def test_jobs_run_beside_each_other() -> None:
    door = Exclusion()
    first, second = Visitor(door.shared), Visitor(door.shared)

    assert first.is_in.wait(5)
    assert second.is_in.wait(5)
    first.leave()
    second.leave()


def test_who_has_to_be_alone_waits_for_the_others_and_keeps_them_out() -> None:
    door = Exclusion()
    first = Visitor(door.shared)
    assert first.is_in.wait(5)
    alone = Visitor(door.alone)
    assert not alone.is_in.wait(MOMENT)
    later = Visitor(door.shared)
    assert not later.is_in.wait(MOMENT), "else who is to be alone would wait for ever"

    first.leave()
    assert alone.is_in.wait(5)
    assert not later.is_in.wait(MOMENT)
    alone.leave()
    assert later.is_in.wait(5)
    later.leave()


def test_two_that_have_to_be_alone_go_one_after_the_other() -> None:
    door = Exclusion()
    first = Visitor(door.alone)
    assert first.is_in.wait(5)
    second = Visitor(door.alone)

    assert not second.is_in.wait(MOMENT)
    first.leave()
    assert second.is_in.wait(5)
    second.leave()


def test_who_waits_can_be_called_off() -> None:
    door = Exclusion()
    first = Visitor(door.shared)
    assert first.is_in.wait(5)

    def call_off() -> None:
        raise HandedBack("the worker ends")

    with pytest.raises(HandedBack), door.alone(call_off):
        pytest.fail("let in")
    second = Visitor(door.shared)
    assert second.is_in.wait(5), "the one that was called off keeps nobody out"
    first.leave()
    second.leave()
