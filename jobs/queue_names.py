"""Bound what Celery's broker remembers of programs that are gone.

    _kombu.binding.<exchange>    set    names of the queues that are bound to it, one for each
                                        worker, each Flower and each `celery inspect`

A program that ends takes its name out. One that is killed cannot, and kombu drops a set only when
nobody uses it any more: with workers whose names hold a container's id, it grows with every crash.
"""

import redis

from jobs.redis_client import redis_errors, texts

# Remote control, events and answers; not those of jobs, whose queues have fixed names.
EXCHANGES = ("celery.pidbox", "celeryev", "reply.celery.pidbox")
MOST_NAMES = 1000  # some 100 kB; more than there are programs, so that most of them are gone
_SEPARATOR = "\x06\x16"  # between routing key, pattern and queue


class QueueNames:
    """The names of queues that the broker made for single programs."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client

    def forget_surplus(self, *, most: int = MOST_NAMES) -> None:
        """Forget all names where there are too many; the living write theirs again by themselves.

        Broadcasts go on meanwhile, as they need no names; answers that are under way are lost.
        """
        with redis_errors():
            for exchange in EXCHANGES:
                key = f"_kombu.binding.{exchange}"
                if self._redis.scard(key) <= most:
                    continue
                names = texts(self._redis.smembers(key))
                queues = [name.rpartition(_SEPARATOR)[2] for name in names]
                self._redis.delete(key, *queues)
