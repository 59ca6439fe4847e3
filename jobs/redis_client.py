"""Reach Redis, and translate what it raises: no redis exception crosses `jobs`."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from jobs.errors import StoreUnavailable
from jobs.silence import Silence

# Above the two seconds for which Redis holds up writes while its disk is busy (appendfsync
# everysec), and low enough that an API request which meets it, and storage's, knows within five.
ANSWER_SECONDS = 2.5

T = TypeVar("T")
Pipe = redis.client.Pipeline


class _Gate(Retry):
    """Tries again where a connection broke, as after a restart; never where Redis was silent.

    redis-py sends every exchange with the server through here, so this is also where a silent
    server is noticed, and spared from further callers.
    """

    def __init__(self, silence: Silence) -> None:
        super().__init__(
            ConstantBackoff(0.05), retries=1, supported_errors=(redis.ConnectionError,)
        )
        self.silence = silence

    def __deepcopy__(self, memo: object) -> "_Gate":
        return _Gate(self.silence)  # one for each connection; what they know is shared

    def call_with_retry(self, do: Callable[[], T], fail: Any, *args: Any, **options: Any) -> T:
        """Do what redis-py asks for, unless Redis is silent."""
        with self.silence.asking(refusal=_refusal, timeouts=(redis.TimeoutError,)):
            return super().call_with_retry(do, fail, *args, **options)


def _refusal() -> Exception:
    return redis.TimeoutError("not asked: it did not answer a moment ago")


def connect(url: str, *, max_connections: int = 64) -> "redis.Redis":
    """Return a client that gives up in seconds when Redis is away, and comes back by itself.

    Threads beyond `max_connections` wait for one to be free: a command takes a fraction of a
    millisecond, and a pool that grows with a burst of requests never shrinks again.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url,
        decode_responses=True,
        max_connections=max_connections,
        timeout=4,  # seconds for a free connection; of a silent server all are, after a timeout
        socket_connect_timeout=2,
        socket_timeout=ANSWER_SECONDS,
        socket_keepalive=True,
        health_check_interval=15,
        retry=_Gate(Silence("Redis")),
    )
    return redis.Redis.from_pool(pool)


@contextmanager
def asking(client: "redis.Redis") -> Iterator[None]:
    """Ask the server of a client by other means inside, unless it is silent.

    Raises:
        redis.TimeoutError: it is.
    """
    gate: _Gate = client.connection_pool.connection_kwargs["retry"]
    with gate.silence.asking(refusal=_refusal, timeouts=(redis.TimeoutError,)):
        yield


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
