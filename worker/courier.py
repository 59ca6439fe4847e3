"""Make the courier's rounds: what happened becomes deliveries, what is due goes on its way."""

import logging
import threading
import time

from jobs.deliveries import Deliveries
from jobs.dispatch import Dispatch
from jobs.errors import Unavailable
from jobs.outbox import Outbox
from jobs.queue import WEBHOOKS
from worker.fanning_out import FanOut

ROUND_SECONDS = 0.5  # how long an event waits at most before it is on its way
MOST_BATCHES = 20  # of events in a round, so that one told to stop does not empty a backlog first
LOST_ROUND_SECONDS = 10.0  # between two looks for messages that got lost
LOST_AFTER_SECONDS = 45.0  # longer than a courier holds a delivery
CALLS_PER_HOST = 4  # at once
CALLS_IN_TROUBLE = 1  # of a host whose last call failed

log = logging.getLogger(__name__)


class Courier:
    """Feeds the couriers' queue; several may do so at once."""

    def __init__(self, fan_out: FanOut, dispatch: Dispatch, outbox: Outbox) -> None:
        self._fan_out = fan_out
        self._dispatch = dispatch
        self._outbox = outbox
        self._looked_for_lost = 0.0  # monotonic second
        self._dropped = 0
        self._is_broken = False

    def run(self, stop: threading.Event) -> None:
        """Make rounds until told to stop."""
        while not stop.wait(ROUND_SECONDS):
            self._try_round()

    def make_round(self) -> None:
        """Do every duty once.

        Raises:
            Unavailable: Redis or the broker is away; the next round does the rest.
        """
        self._dispatch.feed_all(WEBHOOKS)  # first: it must not depend on what is told next
        for _ in range(MOST_BATCHES):
            has_more = self._fan_out.run_once()
            self._dispatch.feed_all(WEBHOOKS)
            if not has_more:
                break
        if time.monotonic() - self._looked_for_lost >= LOST_ROUND_SECONDS:
            self._looked_for_lost = time.monotonic()
            self._dispatch.send_lost(WEBHOOKS)
            self._tell_of_dropped()

    def _try_round(self) -> None:
        was_broken, self._is_broken = self._is_broken, True
        try:
            self.make_round()
            self._is_broken = False
            if was_broken:
                log.warning("rounds come to their end again")
        except Unavailable as error:
            if not was_broken:  # said once, not twice a second
                log.warning("rounds given up until it is back: %s", error)
        except Exception:  # a bug must not end the rounds without ending the process
            if not was_broken:
                log.exception("rounds do not come to their end")

    def _tell_of_dropped(self) -> None:
        dropped = self._outbox.dropped()
        if dropped > self._dropped:
            log.error("%d events found no room in the outbox, since the beginning", dropped)
        self._dropped = dropped


def window_of(deliveries: Deliveries, host: str) -> int:
    """Return how many calls of a host may be under way at once."""
    return CALLS_IN_TROUBLE if deliveries.is_in_trouble(host) else CALLS_PER_HOST
