"""Read from Redis, decide, and write, as one step that no other process comes between."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import redis

from jobs.errors import StoreUnavailable
from jobs.redis_client import Pipe, redis_errors

_TRIES = 100  # of one step; more than that is not contention but a fault

T = TypeVar("T")


def in_one_step(
    client: "redis.Redis", keys: Sequence[str], decide: Callable[[Pipe], T]
) -> tuple[T, list[Any]]:
    """Let `decide` read and queue commands on the pipe, and send them as one step.

    If another process wrote to one of the keys in between, nothing is sent and all is decided
    again.

    Args:
        client: of the Redis.
        keys: all that the decision depends on.
        decide: reads, calls `pipe.multi()` and queues; what it raises leaves this call, and nothing
            was sent.

    Returns:
        What was decided, and the replies to what was queued.

    Raises:
        StoreUnavailable: Redis does not answer, or too many processes write the same keys.
    """
    for _ in range(_TRIES):
        done = tried(client, keys, decide)
        if done is not None:
            return done
    msg = "a record is written by too many processes at once; try again shortly"
    raise StoreUnavailable(msg)


def tried(
    client: "redis.Redis", keys: Sequence[str], decide: Callable[[Pipe], T]
) -> tuple[T, list[Any]] | None:
    """Do the same once; None: another process wrote to one of the keys, nothing was sent."""
    with redis_errors(), client.pipeline() as pipe:
        pipe.watch(*keys)  # type: ignore[no-untyped-call]  # redis-py's own
        # After WATCH, redis-py sends reads at once, whatever its types say.
        outcome = decide(pipe)
        try:
            return outcome, pipe.execute()
        except redis.WatchError:
            return None


def redis_seconds(client: "redis.Redis") -> float:
    """Return the time by Redis' own clock, in seconds; on a watched pipe at once."""
    seconds, microseconds = client.time()
    return float(seconds + microseconds / 1e6)
