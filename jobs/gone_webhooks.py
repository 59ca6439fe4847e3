"""Remember which webhooks of jobs and batches said that they want nothing any more.

whisperline:webhook_gone:<job or batch id>    string   kept KEPT_SECONDS; endpoints are disabled
                                                       instead (jobs/endpoint.py)
"""

import redis

from jobs.redis_client import redis_errors

KEPT_SECONDS = 7 * 24 * 3600  # longer than a webhook is tried


class GoneWebhooks:
    """The own webhooks of jobs and batches that answered 410."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client

    def add(self, of: str) -> None:
        """Tell the webhook of this job or batch nothing any more."""
        with redis_errors():
            self._redis.set(_key(of), "410", ex=KEPT_SECONDS)

    def has(self, of: str) -> bool:
        """Whether the webhook of this job or batch is told nothing any more."""
        with redis_errors():
            return bool(self._redis.exists(_key(of)))


def _key(of: str) -> str:
    return f"whisperline:webhook_gone:{of}"
