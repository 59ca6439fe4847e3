"""Write down what happened in the step that makes it happen, for the courier to tell.

    whisperline:outbox            list     Events as JSON, the oldest first; each leaves it in the
                                           step that writes its deliveries (jobs/deliveries.py)
    whisperline:outbox_dropped    string   events that found no room, as no courier takes any
    whisperline:webhooks:<owner>  hash     the owner's endpoints (jobs/endpoints.py)

Who empties it: worker/fanning_out.py.
"""

from collections.abc import Sequence

import redis

from jobs.event import Event
from jobs.redis_client import Pipe, redis_errors, texts

OUTBOX = "whisperline:outbox"
OUTBOX_DROPPED = "whisperline:outbox_dropped"
MOST_EVENTS = 500_000  # some 400 MB; a courier that is alive keeps it near 0


# Couriers take from the head only, so what is there no longer was somebody else's; LREM would look
# for it in the whole list (0.7 s for a hundred events in a backlog of 200,000).
_TAKE_OUT = """
for _, row in ipairs(ARGV) do
  if redis.call('LINDEX', KEYS[1], 0) == row then redis.call('LPOP', KEYS[1]) end
end
"""
# Whether anybody listens is asked where it is written: asked before, an endpoint made in between
# would miss the event; without asking, all events of all owners would be written.
_PUT = """
if ARGV[1] == '0' and redis.call('EXISTS', KEYS[1]) == 0 then return end
if redis.call('LLEN', KEYS[2]) >= tonumber(ARGV[3]) then return redis.call('INCR', KEYS[3]) end
redis.call('RPUSH', KEYS[2], ARGV[2])
"""


def endpoints_key(owner: str) -> str:
    """Return where an owner's endpoints are."""
    return f"whisperline:webhooks:{owner}"


def put(pipe: Pipe, event: Event) -> None:
    """Queue what writes an event down, if its owner or its webhook wants any."""
    own = int(event.webhook is not None and event.type in event.webhook.events)
    pipe.eval(
        _PUT,
        3,
        endpoints_key(event.owner),
        OUTBOX,
        OUTBOX_DROPPED,
        str(own),
        event.model_dump_json(),
        str(MOST_EVENTS),
    )


def take_out(pipe: Pipe, rows: Sequence[str]) -> None:
    """Queue what removes the oldest events, as `Outbox.rows` gave them, if they are still there."""
    if rows:
        pipe.eval(_TAKE_OUT, 1, OUTBOX, *rows)


class Outbox:
    """What happened and nobody was told of yet."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client

    def rows(self, *, limit: int) -> list[str]:
        """Return the oldest events, as they are written."""
        with redis_errors():
            return texts(self._redis.lrange(OUTBOX, 0, limit - 1))

    def dropped(self) -> int:
        """Return how many events found no room, since the beginning."""
        with redis_errors():
            return int(str(self._redis.get(OUTBOX_DROPPED) or 0))
