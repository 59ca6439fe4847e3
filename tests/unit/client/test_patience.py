"""How long a service that is away or full is borne."""

from collections.abc import Iterator

import pytest

from client.errors import NoConnection, ServiceBusy, ServiceRefused, ServiceUnreachable
from client.patience import Patience


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def __call__(self) -> float:
        return self.now


def patience(time: Time, *, seconds: float = 60, at_first: bool = True) -> Patience:
    return Patience(seconds=seconds, at_first=at_first, sleep=time.sleep, clock=time)


def busy(seconds: float | None) -> ServiceBusy:
    return ServiceBusy("429: later", code="queue_full", retry_after_seconds=seconds)


class Answers:
    """Raises one error after the other, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self._errors: Iterator[Exception] = iter(errors)

    def __call__(self) -> str:
        for error in self._errors:
            raise error
        return "answer"


def test_the_pause_is_the_one_the_service_asks_for() -> None:
    time = Time()

    assert patience(time).insist(Answers(busy(7), busy(3))) == "answer"
    assert time.slept == [7, 3]


def test_silence_is_asked_again_less_and_less_often() -> None:
    time = Time()

    patience(time).insist(Answers(*[NoConnection("away")] * 8))

    assert time.slept[0] <= 0.5
    assert time.slept[0] < time.slept[2] < time.slept[4]
    assert max(time.slept) <= 15


def test_patience_ends() -> None:
    time = Time()

    with pytest.raises(ServiceUnreachable):
        patience(time, seconds=30).insist(Answers(*[NoConnection("away")] * 100))
    assert 10 < sum(time.slept) <= 30


def test_a_pause_that_patience_would_not_survive_is_not_begun() -> None:
    time = Time()

    with pytest.raises(ServiceBusy):
        patience(time, seconds=60).insist(Answers(busy(3600)))
    assert time.slept == []


def test_any_answer_renews_patience() -> None:
    time = Time()
    shared = patience(time, seconds=10)

    def full() -> str:
        if sum(time.slept) < 100:
            shared.insist(lambda: "another thread's answer")
            raise busy(9)
        return "answer"

    assert shared.insist(full) == "answer"


def test_a_refusal_is_final_and_a_fault_is_tried_three_times() -> None:
    time = Time()

    with pytest.raises(ServiceRefused):
        patience(time).insist(Answers(ServiceRefused(422, "invalid_options", "no")))
    assert time.slept == []
    fault = ServiceRefused(500, "internal", "a fault")
    assert patience(time).insist(Answers(fault, fault)) == "answer"
    with pytest.raises(ServiceRefused):
        patience(time).insist(Answers(fault, fault, fault))


def test_an_address_where_nobody_ever_answered_is_given_up_at_once_if_somebody_waits() -> None:
    time = Time()
    shared = patience(time, at_first=False)

    with pytest.raises(NoConnection):
        shared.insist(Answers(NoConnection("refused")))
    assert time.slept == []
    assert shared.insist(Answers(busy(1))) == "answer"
    assert shared.insist(Answers(NoConnection("a restart"))) == "answer"


def test_what_must_not_happen_twice_is_sent_again_only_if_it_cannot_have_arrived() -> None:
    time = Time()

    with pytest.raises(ServiceUnreachable):
        patience(time).insist(Answers(ServiceUnreachable("cut off")), is_repeatable=False)
    assert patience(time).insist(Answers(NoConnection("away")), is_repeatable=False) == "answer"


def test_an_outage_is_told_once_and_so_is_its_end() -> None:
    time, told = Time(), list[str]()
    shared = patience(time)
    shared.remark = told.append

    shared.insist(Answers(*[NoConnection("no answer")] * 4))

    assert told == ["no answer; trying again for 60 s", "the service answers again"]
