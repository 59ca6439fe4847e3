"""Decide what follows from an attempt to deliver a webhook.

The schedule is the example of Standard Webhooks 1.0: ten attempts in three days and a bit.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from jobs.delivery import DeliveryStatus

# From the attempt before to the next one; the first is made at once.
DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
MOST_ATTEMPTS = 1 + len(DELAYS)
JITTER = 0.1  # of a delay, at most, so that what failed together does not come back together
LONGEST_RETRY_AFTER = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of a delivery after an attempt."""

    status: DeliveryStatus
    next_attempt_at: datetime | None = None  # if it is pending
    is_gone: bool = False  # the address wants nothing any more


def judge(
    status: int | None,
    *,
    tried: int,
    now: datetime,
    chance: float,
    retry_after: str | None = None,
) -> Verdict:
    """Return what follows from an answer, or from none.

    Args:
        status: of the HTTP answer; None: there was none.
        tried: attempts made, this one counted.
        now: when it ended.
        chance: from 0 to 1; how much of the jitter is added.
        retry_after: the answer's header, if it has one.
    """
    if status is not None and HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Verdict(status=DeliveryStatus.DELIVERED)
    if status == HTTPStatus.GONE:
        return Verdict(status=DeliveryStatus.FAILED, is_gone=True)
    if tried >= MOST_ATTEMPTS:
        return Verdict(status=DeliveryStatus.FAILED)
    delay = DELAYS[tried - 1] * (1 + JITTER * chance)
    asked = _seconds_asked(retry_after, now)
    return Verdict(status=DeliveryStatus.PENDING, next_attempt_at=now + max(delay, asked))


def _seconds_asked(retry_after: str | None, now: datetime) -> timedelta:
    """Return how long the address asks to be left alone; 0 where it says nothing that is read."""
    if retry_after is None:
        return timedelta()
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        # Cut before it is read: a number of a thousand digits is no time either.
        return min(LONGEST_RETRY_AFTER, timedelta(seconds=int(text[:9])))
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for a day or a year beyond all calendars
        return timedelta()
    if until.tzinfo is None:  # "-0000": a time of no zone is UTC in HTTP
        until = until.replace(tzinfo=UTC)
    return min(LONGEST_RETRY_AFTER, max(timedelta(), until - now))
