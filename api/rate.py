"""Bound how many requests an owner may send, and say in every answer how many are left."""

import math
import time

import redis
from flask import Flask, Response, g
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from api.services import services
from jobs.redis_client import redis_errors
from jobs.request_errors import RateExceeded

WINDOW_SECONDS = 60


class RequestRate:
    """Counts the requests of each owner over a sliding minute, for all API processes together."""

    def __init__(self, client: "redis.Redis", url: str, *, per_minute: int) -> None:
        self.per_minute = per_minute
        self._limit = RateLimitItemPerMinute(max(1, per_minute), namespace="whisperline:rate")
        self._client = client
        self._url = url
        self._limiter: SlidingWindowCounterRateLimiter | None = None

    def take(self, owner: str) -> tuple[int, int]:
        """Count one request; return how many are left, and seconds until there are more.

        Raises:
            RateExceeded: none was left.
            StoreUnavailable: Redis is away.
        """
        with redis_errors():
            limiter = self._connected()
            is_within = limiter.hit(self._limit, owner)
            window = limiter.get_window_stats(self._limit, owner)
        left = max(0, int(window.remaining))
        seconds = max(1, math.ceil(window.reset_time - time.time()))
        if not is_within:
            msg = f"more than {self.per_minute} requests a minute; wait {seconds} s"
            raise RateExceeded(msg, retry_after_seconds=seconds)
        return left, seconds

    def _connected(self) -> SlidingWindowCounterRateLimiter:
        if self._limiter is None:  # with the first request: its scripts are sent to Redis
            storage = RedisStorage(self._url, connection_pool=self._client.connection_pool)
            self._limiter = SlidingWindowCounterRateLimiter(storage)
        return self._limiter


def register(app: Flask) -> None:
    """Make the app count the requests of everybody who was let in."""

    @app.before_request
    def count() -> None:
        rate = services().rate
        if rate.per_minute and "owner" in g:
            g.requests_left, g.rate_reset_seconds = rate.take(g.owner)

    @app.after_request
    def tell(answer: Response) -> Response:
        if "requests_left" in g:
            # The draft's two fields (draft-ietf-httpapi-ratelimit-headers-10), and the older
            # three that clients read today.
            limit, left, reset = services().rate.per_minute, g.requests_left, g.rate_reset_seconds
            answer.headers["RateLimit-Policy"] = f'"owner";q={limit};w={WINDOW_SECONDS}'
            answer.headers["RateLimit"] = f'"owner";r={left};t={reset}'
            answer.headers["RateLimit-Limit"] = str(limit)
            answer.headers["RateLimit-Remaining"] = str(left)
            answer.headers["RateLimit-Reset"] = str(reset)
        return answer
