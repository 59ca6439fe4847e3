"""A warning that stays the same is written once in a while."""

import logging
import sys

import pytest

from jobs.logs import REPEAT_SECONDS, Repeats


class Log:
    """What a filter lets through, with a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self._repeats = Repeats(clock=lambda: self.now)
        self.lines: list[str] = []

    def say(self, text: str, level: int = logging.WARNING, **extra: object) -> None:
        record = logging.makeLogRecord(
            {"name": "a", "levelno": level, "msg": "%s", "args": (text,), **extra}
        )
        if self._repeats.filter(record):
            self.lines.append(record.getMessage())


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_warning_comes_again_after_a_while_and_says_how_often_it_was_meant(log: Log) -> None:
    for _ in range(4):
        log.say("away")
    log.now = REPEAT_SECONDS
    log.say("away")

    assert log.lines == ["away", "away (and 3 times before)"]


def test_a_warning_that_was_not_repeated_says_nothing_of_it(log: Log) -> None:
    log.say("away")
    log.now = REPEAT_SECONDS
    log.say("away")

    assert log.lines == ["away", "away"]


def test_other_words_and_other_jobs_are_other_warnings(log: Log) -> None:
    log.say("away")
    log.say("back")
    log.say("away", job_id="job_1")
    log.say("away", job_id="job_2")

    assert log.lines == ["away", "back", "away", "away"]


def test_what_is_no_warning_is_written_every_time(log: Log) -> None:
    for _ in range(2):
        log.say("done", logging.INFO)

    assert log.lines == ["done", "done"]


def test_an_exception_is_written_every_time(log: Log) -> None:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        for _ in range(2):
            log.say("unhandled", logging.ERROR, exc_info=sys.exc_info())

    assert log.lines == ["unhandled", "unhandled"]


def test_many_different_warnings_do_not_fill_the_memory(log: Log) -> None:
    for number in range(5000):
        log.say(str(number))

    assert len(log.lines) == 5000
    assert len(log._repeats._written) <= 1000
