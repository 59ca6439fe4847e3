"""Decide who is told of an event, and write a delivery for each."""

import logging
from collections.abc import Iterator

from pydantic import ValidationError

from jobs.deliveries import Deliveries
from jobs.delivery import Delivery
from jobs.endpoint import Endpoint, EndpointStatus
from jobs.endpoints import Endpoints
from jobs.event import Event
from jobs.gone_webhooks import GoneWebhooks
from jobs.outbox import Outbox

EVENTS_AT_ONCE = 100

log = logging.getLogger(__name__)


class FanOut:
    """Empties the outbox into deliveries; two may do so at once."""

    def __init__(
        self, outbox: Outbox, deliveries: Deliveries, endpoints: Endpoints, gone: GoneWebhooks
    ) -> None:
        self._outbox = outbox
        self._deliveries = deliveries
        self._endpoints = endpoints
        self._gone = gone

    def run_once(self) -> bool:
        """Deal with the oldest events; return whether there may be more.

        Raises:
            Unavailable: Redis is away; what was not written stays in the outbox.
        """
        rows = self._outbox.rows(limit=EVENTS_AT_ONCE)
        known: dict[str, list[Endpoint]] = {}
        new: list[Delivery] = []
        for row in rows:
            event = self._read(row)
            if event is None:
                continue
            if event.owner not in known:
                known[event.owner] = self._endpoints.of(event.owner)
            new += self._told(event, known[event.owner])
        if rows:
            self._deliveries.add(new, rows=rows)
        return len(rows) == EVENTS_AT_ONCE

    def _told(self, event: Event, endpoints: list[Endpoint]) -> Iterator[Delivery]:
        own, of = event.webhook, event.job_id or event.batch_id
        if own is not None and event.type in own.events and not (of and self._gone.has(of)):
            yield from _addressed(event, own.url, None)
        for endpoint in endpoints:
            is_called = endpoint.status is not EndpointStatus.DISABLED
            if is_called and event.type in endpoint.events:
                yield from _addressed(event, endpoint.url, endpoint.id)

    @staticmethod
    def _read(row: str) -> Event | None:
        try:
            return Event.model_validate_json(row)
        except ValidationError:
            # Written by a program of another version: it must not stop all that comes after it.
            log.exception("an event that cannot be read is dropped")
            return None


def _addressed(event: Event, url: str, endpoint_id: str | None) -> Iterator[Delivery]:
    try:
        yield Delivery.of(event, url=url, endpoint_id=endpoint_id)
    except ValueError as error:  # checked when it was set up, by what may have been another version
        log.error(  # noqa: TRY400  its traceback could repeat the address
            "%s is not told to one address: %s", event.id, error
        )
