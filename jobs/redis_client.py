"""Reach Redis, and translate what it raises: no redis exception crosses `jobs`."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from jobs.errors import StoreUnavailable


def connect(url: str, *, max_connections: int = 64) -> "redis.Redis":
    """Return a client that gives up in seconds when Redis is away, and comes back by itself.

    Threads beyond `max_connections` wait for one to be free: a command takes a fraction of a
    millisecond, and a pool that grows with a burst of requests never shrinks again.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url,
        decode_responses=True,
        max_connections=max_connections,
        timeout=10,  # seconds for a free connection
        socket_connect_timeout=2,  # with the one retry a request knows within five
        socket_timeout=2,
        health_check_interval=15,
        retry=Retry(ConstantBackoff(0.05), retries=1),
    )
    return redis.Redis.from_pool(pool)


@contextmanager
def redis_errors() -> Iterator[None]:
    """Raise StoreUnavailable for whatever Redis could not do.

    Raises:
        StoreUnavailable: Redis is away, still loading, read-only or out of memory.
    """
    try:
        yield
    except redis.RedisError as error:
        msg = "the job store (Redis) does not answer; try again shortly"
        raise StoreUnavailable(msg) from error


def texts(reply: Iterable[object]) -> list[str]:
    """Return the members of a reply; redis-py types them as if they might be bytes."""
    return [str(member) for member in reply]
