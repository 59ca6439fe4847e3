"""Call an address with an event, once, and write down how that went."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs.deliveries import Deliveries
from jobs.delivery import ANSWER_BYTES, Delivery, DeliveryAttempt, DeliveryStatus
from jobs.dispatch import Dispatch
from jobs.endpoint import Endpoint, EndpointStatus
from jobs.endpoints import Endpoints
from jobs.errors import MediaError, Unavailable
from jobs.gone_webhooks import GoneWebhooks
from jobs.outgoing import Answer, Outgoing
from jobs.queue import WEBHOOKS
from jobs.request_errors import DeliveryNotFound, EndpointNotFound
from jobs.webhook_secrets import OwnerSecrets
from worker.retry_schedule import Verdict, judge
from worker.signing import signed_headers

TRIAL_SPREAD = timedelta(minutes=5)  # what waits for a trial does not come back all at once
CALL_SECONDS = 15.0  # from the look-up of the name to the head of the answer

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """How a call went."""

    attempt: DeliveryAttempt
    retry_after: str | None = None


class _HoldLost(Exception):
    """The call took too long, or its delivery was replayed: what it came to is void."""


class Deliverer:
    """Makes attempts; threads may share it.

    Args:
        call_seconds: for one call.
        chance: for the jitter, from 0 to 1.
    """

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        endpoints: Endpoints,
        secrets: OwnerSecrets,
        gone: GoneWebhooks,
        dispatch: Dispatch,
        outgoing: Outgoing,
        call_seconds: float = CALL_SECONDS,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._deliveries = deliveries
        self._endpoints = endpoints
        self._secrets = secrets
        self._gone = gone
        self._dispatch = dispatch
        self._outgoing = outgoing
        self._call_seconds = call_seconds
        self._chance = chance

    def attempt(self, delivery_id: str) -> Delivery | None:
        """Make the next attempt of a delivery; None if there was nothing to do.

        Raises:
            Unavailable: Redis or storage is away; if the call was made already, it will be made
                once more, with the same webhook-id.
        """
        try:
            delivery = self._deliveries.claim(delivery_id)
        except DeliveryNotFound:
            delivery = None
        if delivery is None:
            log.info("nothing to do: over, or in other hands", extra={"delivery_id": delivery_id})
            return None
        try:
            if delivery.endpoint_id is None:
                return self._try_own(delivery)
            return self._try_endpoint(delivery, delivery.endpoint_id)
        except _HoldLost:
            log.info("it was in other hands when it ended", extra={"delivery_id": delivery_id})
            return None
        finally:
            self._dispatch.feed(WEBHOOKS, delivery.host)  # the next one for this host

    def _try_own(self, delivery: Delivery) -> Delivery:
        """Call the webhook of a job or a batch."""
        of = delivery.job_id or delivery.batch_id
        if of is not None and self._gone.has(of):
            return self._finish(delivery, Delivery.dropped)
        return self._try(delivery, self._secrets.of(delivery.owner).signing(self._now()))

    def _try_endpoint(self, delivery: Delivery, endpoint_id: str) -> Delivery:
        try:
            endpoint, is_its_turn = self._admitted(delivery.owner, endpoint_id)
        except EndpointNotFound:
            return self._finish(delivery, Delivery.dropped)
        if endpoint.status is EndpointStatus.DISABLED:
            return self._finish(delivery, Delivery.dropped)
        if not is_its_turn:
            until = (endpoint.next_trial_at or self._now()) + self._chance() * TRIAL_SPREAD
            return self._finish(delivery, lambda one: one.postponed(until))
        if endpoint.url != delivery.url:
            now = self._now()  # to the lane of its new host, where it takes its turn
            return self._finish(delivery, lambda one: one.moved(endpoint.url, now))
        return self._try(delivery, endpoint.secret.signing(self._now()))

    def _admitted(self, owner: str, endpoint_id: str) -> tuple[Endpoint, bool]:
        """Return the endpoint, and whether it may be called: paused, it is called once an hour."""
        now = self._now()
        is_its_turn = False

        def admit(endpoint: Endpoint) -> Endpoint:
            nonlocal is_its_turn
            is_its_turn = endpoint.may_be_called(now)
            is_trial = is_its_turn and endpoint.status is EndpointStatus.PAUSED
            return endpoint.tried(now) if is_trial else endpoint

        return self._endpoints.update(owner, endpoint_id, admit), is_its_turn

    def _try(self, delivery: Delivery, secrets: tuple[str, ...]) -> Delivery:
        call = self._call(delivery, secrets)
        verdict = judge(
            call.attempt.status,
            tried=delivery.tried + 1,
            now=self._now(),
            chance=self._chance(),
            retry_after=call.retry_after,
        )
        if verdict.status is not DeliveryStatus.DELIVERED:
            log.warning(
                "attempt %d at %s: %s",
                delivery.tried + 1,
                delivery.host,
                call.attempt.error or call.attempt.status,
                extra={"delivery_id": delivery.id},
            )
        ended = self._finish(
            delivery,
            lambda one: one.attempted(call.attempt, verdict.status, verdict.next_attempt_at),
            attempt=call.attempt,
        )
        self._note(ended, verdict)
        return ended

    def _finish(
        self,
        claimed: Delivery,
        change: Callable[[Delivery], Delivery],
        *,
        attempt: DeliveryAttempt | None = None,
    ) -> Delivery:
        """Write how a claim went, unless it is somebody else's by now.

        Raises:
            _HoldLost: it is; nothing was written.
        """

        def changed(one: Delivery) -> Delivery:
            if one.held_until != claimed.held_until:
                raise _HoldLost
            return change(one)

        return self._deliveries.finish(claimed.id, changed, attempt=attempt)

    def _call(self, delivery: Delivery, secrets: tuple[str, ...]) -> _Call:
        at = self._now()
        began = time.monotonic()
        answer: Answer | None = None
        error: str | None = None
        try:
            answer = self._outgoing.request(
                "POST",
                delivery.url,
                signed_headers(delivery.event_id, delivery.body, secrets=secrets, now=at),
                delivery.body.encode(),
                timeout_seconds=self._call_seconds,
                max_answer_bytes=ANSWER_BYTES,
            )
        except (MediaError, Unavailable) as failure:
            # What the guarded door says of an address: blocked, unknown, away. A name that is
            # refused today may stand for another address tomorrow, so the schedule goes on.
            error = failure.message
        except Exception:  # a bug; unrecorded, it would make the same call for ever
            log.exception("a call that went wrong", extra={"delivery_id": delivery.id})
            error = "an error of ours; its log says more"
        attempt = DeliveryAttempt(
            at=at,
            seconds=round(time.monotonic() - began, 3),
            status=answer.status if answer else None,
            answer=_shown(answer.body) if answer else None,
            error=error,
        )
        return _Call(
            attempt=attempt, retry_after=answer.headers.get("retry-after") if answer else None
        )

    def _note(self, delivery: Delivery, verdict: Verdict) -> None:
        """Remember how the address does."""
        if delivery.endpoint_id is not None:
            self._note_endpoint(delivery, delivery.endpoint_id, verdict)
        elif verdict.is_gone and (of := delivery.job_id or delivery.batch_id) is not None:
            self._gone.add(of)

    def _note_endpoint(self, delivery: Delivery, endpoint_id: str, verdict: Verdict) -> None:
        now, was_paused = self._now(), False

        def change(endpoint: Endpoint) -> Endpoint:
            nonlocal was_paused
            was_paused = endpoint.status is EndpointStatus.PAUSED
            if endpoint.url != delivery.url:  # it moved: this says nothing of where it is now
                return endpoint
            if verdict.is_gone:
                return endpoint.disabled("it answered 410 Gone")
            has_arrived = verdict.status is DeliveryStatus.DELIVERED
            return endpoint.succeeded() if has_arrived else endpoint.failed(now)

        try:
            after = self._endpoints.update(delivery.owner, endpoint_id, change)
        except EndpointNotFound:
            return  # deleted while it was called
        if was_paused and after.status is EndpointStatus.ACTIVE:
            self._deliveries.hasten(after.id)

    def _now(self) -> datetime:
        return self._deliveries.now()


def _shown(body: bytes) -> str:
    """Return the beginning of an answer as text that is safe to look at."""
    text = body.decode("utf-8", "replace")
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)
