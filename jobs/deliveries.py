"""Keep what is on its way to webhooks, and what became of it; keys: jobs/delivery_rows.py."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar, cast

import redis

from jobs import lanes
from jobs.delivery import Delivery, DeliveryAttempt, DeliveryStatus
from jobs.delivery_rows import (
    COUNTS,
    count_attempt,
    has_its_turn,
    hold,
    log_key,
    pending_key,
    read,
    row_key,
    settle,
    trouble_key,
    write,
)
from jobs.event import Event
from jobs.lanes import Lanes
from jobs.outbox import OUTBOX, take_out
from jobs.queue import WEBHOOKS
from jobs.redis_client import Pipe, redis_errors, texts
from jobs.webhook import EventType

HELD_SECONDS = 30.0  # twice the longest call; a courier that died lets go then
MOST_PENDING = 100_000  # of one endpoint, some 150 MB; what comes then is dropped, and counted

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage:
    """Some deliveries, newest first."""

    deliveries: tuple[Delivery, ...]
    next_cursor: str | None  # the id to go on before; None: there are no more


class Deliveries:
    """The deliveries of all owners; the time is that of `lanes`."""

    def __init__(self, client: "redis.Redis", lanes: Lanes) -> None:
        self._redis = client
        self._lanes = lanes

    def now(self) -> datetime:
        """Return the time that deliveries go by."""
        return datetime.fromtimestamp(self._lanes.now(), UTC)

    def start(self, event: Event, *, url: str, endpoint_id: str | None) -> Delivery:
        """Send an event to an address, as soon as it is its turn."""
        delivery = Delivery.of(event, url=url, endpoint_id=endpoint_id)
        self.add([delivery])
        return delivery

    def add(self, new: Sequence[Delivery], *, rows: Sequence[str] = ()) -> None:
        """Write deliveries down and take what they tell of out of the outbox, in one step.

        One that was written before is passed over: two couriers may do the same at once.
        """
        keys = [row_key(delivery.id) for delivery in new]

        def written(pipe: Pipe) -> None:
            # After WATCH, redis-py sends reads at once, whatever its types say.
            known = pipe.mget(keys) if keys else []
            fresh = [one for one, found in zip(new, known, strict=True) if found is None]
            full = {one.id for one in fresh if self._is_full(pipe, one)}
            pipe.multi()
            for one in fresh:
                write(pipe, one.dropped() if one.id in full else one, was=None)
            take_out(pipe, rows)

        with redis_errors():
            self._redis.transaction(written, *(keys or [OUTBOX]))

    def get(self, delivery_id: str) -> Delivery:
        """Return a delivery.

        Raises:
            DeliveryNotFound: there is none of this id, or it is forgotten.
        """
        with redis_errors():
            return read(delivery_id, self._redis.get(row_key(delivery_id)))

    def page(
        self, of: str, *, status: DeliveryStatus | None, limit: int, before: str | None
    ) -> DeliveryPage:
        """Return at most `limit` of what an endpoint, a job or a batch was sent, newest first.

        With a status a page may be short, or empty, and still have a cursor.
        """
        start = f"({before}" if before else "+"
        with redis_errors():
            ids = texts(
                self._redis.zrange(
                    log_key(of), start, "-", desc=True, bylex=True, offset=0, num=limit + 1
                )
            )
            rows = self._redis.mget([row_key(delivery_id) for delivery_id in ids]) if ids else []
        found = [Delivery.model_validate_json(row) for row in rows[:limit] if row is not None]
        return DeliveryPage(
            deliveries=tuple(one for one in found if status in (None, one.status)),
            next_cursor=ids[limit - 1] if len(ids) > limit else None,
        )

    def claim(self, delivery_id: str) -> Delivery | None:
        """Take a delivery to its address; None: it is over, not due, or another courier has it.

        A message may come twice, or hours late: without its turn it makes no attempt.

        Raises:
            DeliveryNotFound: there is none of this id.
        """

        def held(pipe: Pipe, delivery: Delivery) -> Delivery | None:
            now = self.now()
            is_over = delivery.status is not DeliveryStatus.PENDING
            is_held = delivery.held_until is not None and delivery.held_until > now
            is_early = delivery.next_attempt_at is not None and delivery.next_attempt_at > now
            # One that was hastened goes before its time, but never without its turn.
            is_stray = is_early and not has_its_turn(pipe, delivery)
            pipe.multi()
            if is_over:
                settle(pipe, delivery)
            if is_over or is_held or is_stray:
                return None
            taken = delivery.held(now + timedelta(seconds=HELD_SECONDS))
            hold(pipe, taken)
            return taken

        return self._transact(delivery_id, held)

    def finish(
        self,
        delivery_id: str,
        change: Callable[[Delivery], Delivery],
        *,
        attempt: DeliveryAttempt | None = None,
    ) -> Delivery:
        """Write how a claim went; one that is still pending waits for its next turn.

        Args:
            delivery_id: of a delivery that was claimed.
            change: from the delivery as it was.
            attempt: what was tried, if anything was.

        Raises:
            DeliveryNotFound: there is none of this id.
            Whatever `change` raises: nothing was written.
        """

        def finished(pipe: Pipe, delivery: Delivery) -> Delivery:
            changed = change(delivery)
            pipe.multi()
            settle(pipe, delivery)
            write(pipe, changed, was=delivery)
            if attempt is not None:
                count_attempt(pipe, changed, attempt)
            return changed

        return self._transact(delivery_id, finished)

    def replay(self, delivery_id: str) -> Delivery:
        """Send a delivery once more, with its own webhook-id, by the whole schedule.

        Raises:
            DeliveryNotFound: there is none of this id.
        """

        def replayed(pipe: Pipe, delivery: Delivery) -> Delivery:
            changed = delivery.replayed(self.now())
            pipe.multi()
            settle(pipe, delivery)  # whoever calls now has lost it: `held_until` is not his
            write(pipe, changed, was=delivery)
            return changed

        return self._transact(delivery_id, replayed)

    def hasten(self, endpoint_id: str) -> None:
        """Let all that an endpoint still waits for go now, as it is back."""
        with redis_errors():
            ids = texts(self._redis.smembers(pending_key(endpoint_id)))
            for start in range(0, len(ids), 200):
                rows = self._redis.mget([row_key(one) for one in ids[start : start + 200]])
                now = self._lanes.now()
                pipe = self._redis.pipeline(transaction=False)
                for row in filter(None, rows):
                    delivery = Delivery.model_validate_json(str(row))
                    lanes.hasten(pipe, WEBHOOKS, delivery.host, delivery.id, since=now)
                pipe.execute()

    def is_in_trouble(self, host: str) -> bool:
        """Whether the last call of a host failed, a short while ago."""
        with redis_errors():
            return bool(self._redis.exists(trouble_key(host)))

    def counts(self) -> dict[str, int]:
        """Return how many deliveries and attempts there were since the beginning, by outcome."""
        with redis_errors():
            counted = cast("dict[str, str]", self._redis.hgetall(COUNTS))
        return {name: int(number) for name, number in counted.items()}

    def pending(self) -> int:
        """Return how many deliveries are still to arrive."""
        return max(0, self.counts().get(DeliveryStatus.PENDING, 0))

    def _transact(self, delivery_id: str, change: Callable[[Pipe, Delivery], T]) -> T:
        """Read a row, let `change` queue commands on the pipe, and send them as one step."""

        def written(pipe: Pipe) -> T:
            return change(pipe, read(delivery_id, pipe.get(row_key(delivery_id))))

        with redis_errors():
            outcome = self._redis.transaction(
                written,  # type: ignore[arg-type]  # typed as if it could return nothing
                row_key(delivery_id),
                value_from_callable=True,
            )
        return cast("T", outcome)

    def _is_full(self, pipe: Pipe, delivery: Delivery) -> bool:
        """Whether an endpoint has so much to come that nothing more is kept for it."""
        # Of a batch's end there is one, after thousands of its jobs' events: it is never dropped.
        is_rare = delivery.type in (EventType.BATCH_COMPLETED, EventType.TEST)
        if delivery.endpoint_id is None or is_rare:
            return False
        waiting = pipe.scard(pending_key(delivery.endpoint_id))  # a watched pipe reads at once
        return int(str(waiting)) >= MOST_PENDING
