"""Send what waits in lanes on its way, a few messages of each lane at a time."""

import logging
from collections.abc import Callable

import redis

from jobs.errors import Unavailable
from jobs.lanes import JOBS_WINDOW, Lanes
from jobs.queue import JobQueue

# A living worker makes a claim of a message at once, and one too many does no harm; but until a
# lost one is sent again, its owner has a place less in the window, and GPUs may stand idle.
LOST_AFTER_SECONDS = 5.0

log = logging.getLogger(__name__)


class Dispatch:
    """Feeds Celery's queues from their lanes.

    Args:
        lanes: what waits.
        queue: where messages go.
        send: sends the message of an id to a queue.
        window: says how many messages of a lane may be under way at a time.
        lost_after_seconds: a message that was sent so long ago and is in no queue is lost.
    """

    def __init__(
        self,
        lanes: Lanes,
        queue: JobQueue,
        send: Callable[[str, str], None],
        *,
        window: Callable[[str], int],
        lost_after_seconds: float,
    ) -> None:
        self._lanes = lanes
        self._queue = queue
        self._send = send
        self._window = window
        self._lost_after_seconds = lost_after_seconds

    def feed(self, queue: str, lane: str) -> None:
        """Send a lane's next messages, if there is room for them.

        What cannot be sent now is sent by the next round of `send_lost`: nobody has to wait for it.
        """
        try:
            for member in self._lanes.next(queue, lane, window=self._window(lane)):
                self._send(member, queue)
        except Unavailable as error:
            log.warning("not sent on, later: %s", error)

    def feed_all(self, queue: str) -> None:
        """Send what may go now of all lanes.

        Raises:
            Unavailable: Redis or the broker is away.
        """
        for lane in self._lanes.due(queue):
            self.feed(queue, lane)

    def send_lost(self, queue: str, *, after_seconds: float | None = None) -> None:
        """Send again what was sent long ago, not taken, and is not in the queue any more.

        A message too many does no harm, as the second claim is refused.

        Args:
            queue: of Celery.
            after_seconds: how long ago; None: so long that a living worker would have taken it.

        Raises:
            Unavailable: Redis or the broker is away.
        """
        seconds = self._lost_after_seconds if after_seconds is None else after_seconds
        in_queue: set[str] | None = None
        for lane in self._lanes.all(queue):
            late = self._lanes.sent_before(queue, lane, seconds=seconds)
            if not late:
                continue
            if in_queue is None:  # all messages are read, so only where it matters
                in_queue = self._queue.waiting_ids(queue)
            lost = [member for member in late if member not in in_queue]
            for member in lost:
                log.warning("the message of %s is lost; sent again", member)
                self._send(member, queue)
            if lost:
                self._lanes.sent_again(queue, lane, lost)


def job_dispatch(
    client: "redis.Redis", queue: JobQueue, *, lost_after_seconds: float = LOST_AFTER_SECONDS
) -> Dispatch:
    """Return what sends jobs, each owner's in a lane."""
    return Dispatch(
        Lanes(client),
        queue,
        queue.send,
        window=lambda owner: JOBS_WINDOW,
        lost_after_seconds=lost_after_seconds,
    )
