"""Say what is kept no longer."""

import redis

from jobs.indexes import EXPIRING, EXPIRING_MEDIA
from jobs.redis_client import redis_errors, texts
from jobs.transaction import redis_seconds


class Expiring:
    """Jobs, and media before its job, whose time is over."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client

    def jobs(self, *, limit: int = 1000) -> list[str]:
        """Return ids of jobs that are kept no longer, the longest overdue first."""
        return self._due(EXPIRING, limit)

    def media(self, *, limit: int = 1000) -> list[str]:
        """Return ids of jobs whose media is kept no longer, the longest overdue first."""
        return self._due(EXPIRING_MEDIA, limit)

    def _due(self, key: str, limit: int) -> list[str]:
        with redis_errors():
            return texts(
                self._redis.zrangebyscore(key, "-inf", redis_seconds(self._redis), 0, limit)
            )
