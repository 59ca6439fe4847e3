"""Hold one event on its way to one address."""

import hashlib
import json
from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from jobs.addresses import parse_target
from jobs.event import Event
from jobs.webhook import EventType

ANSWER_BYTES = 1024  # of an answer that are kept
ATTEMPTS_KEPT = 30  # the last ones; replays may go on for ever


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"  # it is tried at `next_attempt_at`
    DELIVERED = "delivered"  # answered with 2xx
    FAILED = "failed"  # given up: the schedule is at its end, or the address said 410
    DROPPED = "dropped"  # the endpoint was disabled or deleted meanwhile


class DeliveryAttempt(_Value):
    """One call of the address."""

    at: AwareDatetime
    seconds: float
    status: int | None = None  # of the HTTP answer; None: there was none
    answer: str | None = None  # its first ANSWER_BYTES, control characters replaced
    error: str | None = None  # why there was no answer


class Delivery(_Value):
    """An event and an address. Change it by its methods."""

    id: str  # dlv_…
    event_id: str  # evt_…, sent as webhook-id: receivers tell repetitions by it
    type: EventType
    owner: str
    endpoint_id: str | None = None  # None: it goes to a job's or a batch's own webhook
    job_id: str | None = None
    batch_id: str | None = None
    url: str
    host: str  # the authority in `url`: deliveries to one host take turns
    body: str  # JSON as it is signed and sent
    created_at: AwareDatetime
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: tuple[DeliveryAttempt, ...] = ()
    tried: int = 0  # attempts of this round of the schedule; a replay begins anew
    next_attempt_at: AwareDatetime | None = None
    held_until: AwareDatetime | None = None  # a courier is calling; after that moment it is dead

    @classmethod
    def of(cls, event: Event, *, url: str, endpoint_id: str | None) -> Self:
        """Return what tells an address of an event; the same two always have the same id."""
        target = endpoint_id or url
        digest = hashlib.sha256(f"{event.id} {target}".encode()).hexdigest()
        moment = event.id.removeprefix("evt_")[:12]
        body = {"type": event.type, "timestamp": event.at.isoformat(), "data": event.data}
        return cls(
            id=f"dlv_{moment}{digest[:20]}",
            event_id=event.id,
            type=event.type,
            owner=event.owner,
            endpoint_id=endpoint_id,
            job_id=event.job_id,
            batch_id=event.batch_id,
            url=url,
            host=parse_target(url).authority,
            body=json.dumps(body),
            created_at=event.at,
            next_attempt_at=event.at,
        )

    @property
    def listed_under(self) -> tuple[str, ...]:
        """Return whose log shows it: the endpoint's, or the job's or batch's own."""
        own = self.job_id or self.batch_id
        return tuple(filter(None, (self.endpoint_id or own,)))

    def attempted(
        self, attempt: DeliveryAttempt, status: DeliveryStatus, next_attempt_at: datetime | None
    ) -> Self:
        """Note how an attempt went, and what follows from it."""
        return self.model_copy(
            update={
                "attempts": (*self.attempts, attempt)[-ATTEMPTS_KEPT:],
                "tried": self.tried + 1,
                "status": status,
                "next_attempt_at": next_attempt_at,
                "held_until": None,
            }
        )

    def held(self, until: datetime) -> Self:
        """Note that a courier calls the address now."""
        return self.model_copy(update={"held_until": until})

    def postponed(self, until: datetime) -> Self:
        """Wait without an attempt, as the endpoint is paused."""
        return self.model_copy(update={"next_attempt_at": until, "held_until": None})

    def moved(self, url: str, now: datetime) -> Self:
        """Go to another address at once, as its endpoint has moved."""
        return self.model_copy(
            update={
                "url": url,
                "host": parse_target(url).authority,
                "next_attempt_at": now,
                "held_until": None,
            }
        )

    def dropped(self) -> Self:
        """End, because nobody wants it any more."""
        return self.model_copy(
            update={
                "status": DeliveryStatus.DROPPED,
                "next_attempt_at": None,
                "held_until": None,
            }
        )

    def replayed(self, now: datetime) -> Self:
        """Go out once more, with the same webhook-id and the whole schedule."""
        return self.model_copy(
            update={
                "status": DeliveryStatus.PENDING,
                "tried": 0,
                "next_attempt_at": now,
                "held_until": None,
            }
        )
