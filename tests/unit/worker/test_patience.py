"""An outage of our own stores is waited for, unless the job is not wanted any longer."""

import logging
from collections.abc import Callable

import pytest

from jobs.errors import HandedBack, SourceUnavailable, StorageUnavailable, StoreUnavailable
from jobs.request_errors import IllegalMove
from worker import patience
from worker.patience import patiently


class Store:
    """Is away for some calls."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return "done"


def go_on() -> None:
    pass


def raising(error: Exception) -> Callable[[], None]:
    def say() -> None:
        raise error

    return say


@pytest.mark.parametrize("error", [StoreUnavailable("away"), StorageUnavailable("away")])
def test_a_call_is_made_again_until_its_store_is_back(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    store = Store(error, error)

    assert patiently(store, go_on) == "done"
    assert store.calls == 3
    assert caplog.messages == ["waits for its store: away", "its store is back"]


def test_a_call_that_comes_through_asks_nobody_and_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    assert patiently(Store(), raising(IllegalMove("canceled"))) == "done"
    assert caplog.messages == []


@pytest.mark.parametrize("error", [IllegalMove("canceled"), HandedBack("the worker ends")])
def test_a_job_that_is_canceled_or_handed_back_waits_no_longer(error: Exception) -> None:
    store = Store(*[StoreUnavailable("away")] * 5)

    with pytest.raises(type(error)):
        patiently(store, raising(error))
    assert store.calls == 1


def test_what_is_not_ours_is_not_waited_for() -> None:
    store = Store(SourceUnavailable("away"))

    with pytest.raises(SourceUnavailable):
        patiently(store, go_on)
    assert store.calls == 1


def test_patience_ends() -> None:
    store = Store(*[StoreUnavailable("away")] * 5)

    with pytest.raises(StoreUnavailable):
        patiently(store, go_on, seconds=0.0)
    assert store.calls == 1


def test_who_waits_is_asked_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_LOOK_SECONDS", 0.1)
    asked: list[None] = []

    patiently(Store(StoreUnavailable("away")), lambda: asked.append(None))

    assert len(asked) > 1
