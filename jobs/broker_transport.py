"""Carry Celery's messages over Redis, and outlive the connection that they came by.

kombu gives messages that are not acknowledged back when a connection ends. Where Redis itself is
away that cannot be done, and kombu's error about it ends the worker, with the jobs that it has in
work. A message too few does no harm: the lanes send it again (`jobs/lanes.py`).
"""

import logging
from typing import Any

import kombu
from celery.app.amqp import AMQP
from kombu.transport import redis
from kombu.transport.virtual import Message

LONGEST_PAUSE_SECONDS = 4

log = logging.getLogger(__name__)


class _Channel(redis.Channel):
    def _restore(self, message: Message, *args: object, **options: object) -> None:
        try:
            super()._restore(message, *args, **options)
        except Exception as error:  # noqa: BLE001  of many kinds, as the channel is half closed
            log.info("a message is not given back; it is sent again later: %r", error)


class Transport(redis.Transport):
    """Redis, as kombu reaches it."""

    Channel = _Channel


class _Connection(kombu.Connection):
    """Asks again for a server that is away every few seconds.

    kombu's own pauses grow to half a minute, for which a GPU stands idle when Redis is back.
    """

    def _ensure_connection(self, *args: Any, **options: Any) -> Any:
        return super()._ensure_connection(
            *args, **{"interval_max": LONGEST_PAUSE_SECONDS} | options
        )


class Messages(AMQP):
    """Celery's way to the broker, by such connections."""

    Connection = _Connection
