from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from jobs.delivery import DeliveryStatus
from worker.retry_schedule import (
    DELAYS,
    JITTER,
    LONGEST_RETRY_AFTER,
    MOST_ATTEMPTS,
    Verdict,
    judge,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def after(status: int | None, *, tried: int = 1, chance: float = 0.0, asked: str | None = None):  # type: ignore[no-untyped-def]
    verdict = judge(status, tried=tried, now=NOW, chance=chance, retry_after=asked)
    assert verdict.status is DeliveryStatus.PENDING
    assert verdict.next_attempt_at is not None
    return verdict.next_attempt_at - NOW


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_an_arrival(status: int) -> None:
    verdict = judge(status, tried=10, now=NOW, chance=1.0)

    assert verdict == Verdict(status=DeliveryStatus.DELIVERED)


@pytest.mark.parametrize("status", [None, 199, 300, 301, 308, 400, 404, 429, 500, 503, 999])
def test_everything_else_is_tried_again(status: int | None) -> None:
    assert after(status) == timedelta(seconds=5)


def test_410_ends_it_at_the_first_attempt() -> None:
    verdict = judge(410, tried=1, now=NOW, chance=0.0)

    assert verdict == Verdict(status=DeliveryStatus.FAILED, is_gone=True)


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    minutes = [0, 5 / 60, 5, 30, 120, 300, 600, 840, 1200, 1440]

    waited = [after(500, tried=tried) for tried in range(1, MOST_ATTEMPTS)]

    assert waited == [timedelta(minutes=each) for each in minutes[1:]]
    assert sum(waited, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)


def test_after_the_tenth_attempt_it_is_given_up() -> None:
    assert MOST_ATTEMPTS == 10
    assert judge(500, tried=10, now=NOW, chance=0.0) == Verdict(status=DeliveryStatus.FAILED)


@pytest.mark.parametrize("tried", range(1, MOST_ATTEMPTS))
def test_jitter_adds_a_tenth_at_most_and_takes_nothing(tried: int) -> None:
    shortest, longest = after(500, tried=tried), after(500, tried=tried, chance=1.0)

    assert shortest == DELAYS[tried - 1]
    assert longest == DELAYS[tried - 1] * (1 + JITTER)
    assert shortest < after(500, tried=tried, chance=0.5) < longest


@pytest.mark.parametrize("status", [429, 503, 500, 404])
def test_retry_after_in_seconds_is_honoured(status: int) -> None:
    assert after(status, asked="120") == timedelta(seconds=120)


def test_retry_after_as_a_date_is_honoured() -> None:
    until = NOW + timedelta(minutes=10)

    assert after(503, asked=format_datetime(until, usegmt=True)) == timedelta(minutes=10)


def test_retry_after_never_brings_an_attempt_forward() -> None:
    assert after(429, tried=4, asked="1") == timedelta(hours=2)


@pytest.mark.parametrize("asked", ["9" * 400, "999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_retry_after_is_bounded(asked: str) -> None:
    assert after(429, asked=asked) == LONGEST_RETRY_AFTER


@pytest.mark.parametrize(
    "asked",
    [
        *("", "soon", "-5", "1.5", "\u0665", "\x00", "Sun, 99 Nov"),
        "Sun, 22 Nov 2026 10:00:00 GMT",
        "99999999999 Nov 70 10:00:00",  # OverflowError, where others are ValueError
    ],
)
def test_what_cannot_be_read_or_is_past_asks_for_nothing(asked: str) -> None:
    assert after(429, asked=asked) == timedelta(seconds=5)
