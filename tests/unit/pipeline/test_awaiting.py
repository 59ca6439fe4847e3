import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.awaiting import Caller, NobodyWaits, awaited, beside, followed

SECONDS = 10.0  # nothing here takes as long


class Canceled(Exception):
    """What a caller raises when it wants to leave."""


def cancel() -> None:
    raise Canceled


def go_on() -> None:
    """Wait as long as it takes."""


def test_a_call_returns_what_it_returns() -> None:
    assert awaited(lambda: "done", go_on, name="call") == "done"
    assert awaited(lambda: None, go_on, name="call") is None


@pytest.mark.parametrize("error", [ZeroDivisionError(), TimeoutError("of its own"), SystemExit(3)])
def test_a_call_raises_what_it_raises(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        awaited(fail, go_on, name="call")

    assert raised.value is error


def test_who_waits_is_asked_whether_to_go_on() -> None:
    asked, twice = [], threading.Event()

    def note() -> None:
        asked.append(threading.current_thread())
        if len(asked) == 2:
            twice.set()

    assert awaited(lambda: twice.wait(SECONDS), note, name="call")
    assert asked == [threading.current_thread()] * 2


def test_who_does_not_want_to_wait_leaves_what_hangs() -> None:
    release, ended = threading.Event(), threading.Event()

    def hang() -> None:
        release.wait(SECONDS)
        ended.set()

    with pytest.raises(Canceled):
        awaited(hang, cancel, name="call")

    assert not ended.is_set()
    release.set()
    assert ended.wait(SECONDS)


def test_what_is_told_is_heard_in_the_callers_thread_and_in_order() -> None:
    heard: list[tuple[int, threading.Thread]] = []

    def compute(caller: Caller[str]) -> str:
        for number in range(100):
            caller.tell(lambda number=number: heard.append((number, threading.current_thread())))  # type: ignore[misc] # mypy sees no default in a lambda
        return "done"

    assert followed(compute, go_on, name="call") == "done"
    assert heard == [(number, threading.current_thread()) for number in range(100)]


def test_a_computation_hears_that_nobody_waits_any_more_and_takes_it_for_no_fault() -> None:
    left, seen = threading.Event(), []

    def compute(caller: Caller[None]) -> None:
        caller.tell(cancel)
        left.wait(SECONDS)
        try:
            caller.tell(go_on)
        except Exception:  # noqa: BLE001 - what libraries do
            seen.append("went on")
        except NobodyWaits:
            seen.append("ended")
            raise

    with pytest.raises(Canceled):
        followed(compute, go_on, name="computation")
    left.set()

    for thread in threading.enumerate():
        if thread.name == "computation":
            thread.join(SECONDS)
    assert seen == ["ended"]


def test_an_error_holds_what_it_was_computed_with_no_longer_than_itself() -> None:
    class Tensor:
        pass

    seen: list[weakref.ref[Tensor]] = []

    def compute(how: Callable[..., Any]) -> None:
        def fail(*_: object) -> None:
            tensor = Tensor()
            seen.append(weakref.ref(tensor))
            raise MemoryError

        with pytest.raises(MemoryError):
            how(fail, go_on, name="call")

    gc.disable()
    try:
        compute(awaited)
        compute(followed)
        assert [each() for each in seen] == [None, None]
    finally:
        gc.enable()


def test_what_goes_on_beside_a_block_tells_when_the_block_waits() -> None:
    told: list[tuple[str, threading.Thread]] = []
    has_told = threading.Event()

    def compute(caller: Caller[str]) -> str:
        caller.tell(lambda: told.append(("half", threading.current_thread())))
        has_told.set()
        return "done"

    with beside(compute, name="call") as caller:
        assert has_told.wait(SECONDS)
        assert told == []
        assert caller.wait(go_on) == "done"

    assert told == [("half", threading.current_thread())]


def test_what_goes_on_beside_a_block_raises_when_the_block_waits() -> None:
    def fail(caller: Caller[None]) -> None:
        raise ZeroDivisionError

    with beside(fail, name="call") as caller, pytest.raises(ZeroDivisionError):
        caller.wait(go_on)


def test_what_goes_on_beside_a_block_ends_with_it() -> None:
    ended = threading.Event()

    def compute(caller: Caller[None]) -> None:
        try:
            while True:
                caller.tell(go_on)
        finally:
            ended.set()

    def leave_early() -> None:
        with beside(compute, name="call"):
            raise Canceled

    with pytest.raises(Canceled):
        leave_early()
    assert ended.is_set()
