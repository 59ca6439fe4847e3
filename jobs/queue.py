"""Carry job ids to the workers and delivery ids to the courier, with Celery.

A message holds nothing but the id: what the job is stands in its record. A message may come
twice or late, because claiming a job is one atomic step that refuses the second (`jobs/leases.py`).
Which messages are in a queue, and which wait for their turn: `jobs/lanes.py`.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import redis
from celery import Celery
from kombu import Queue
from kombu.exceptions import OperationalError

from jobs.errors import QueueUnavailable
from jobs.options import Priority
from jobs.redis_client import ANSWER_SECONDS, asking, redis_errors, texts
from jobs.settings import StoreSettings
from jobs.stage_call import StageCall, StageRole

TASK = "whisperline.transcribe"
DELIVER = "whisperline.deliver"
STAGE = "whisperline.stage"
WEBHOOKS = "webhooks"  # the courier's queue
STAGES = (StageRole.ALIGN, StageRole.DIARIZE)  # queues of the processes that do one stage
SENDERS = 10  # messages that one process sends at a time


def connect(settings: StoreSettings) -> Celery:
    """Return the Celery app that all programs share."""
    celery = Celery(
        "whisperline",
        broker=settings.redis_url.get_secret_value(),
        amqp="jobs.broker_transport:Messages",
        set_as_current=False,
    )
    celery.conf.update(
        task_ignore_result=True,  # the job record is the result
        # Acknowledged when done, so that prefetching stops at what is in work; Redis itself has
        # forgotten the message by then (docs/decisions/0014).
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,  # a busy GPU holds no second job
        worker_send_task_events=True,  # for Flower
        task_send_sent_event=True,
        worker_hijack_root_logger=False,
        # The broker's messages are ids, never pickles.
        task_serializer="json",
        accept_content=["json"],
        task_default_queue=Priority.NORMAL,
        task_queues=[Queue(name, routing_key=name) for name in (*Priority, WEBHOOKS, *STAGES)],
        task_create_missing_queues=False,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=2,
        broker_connection_max_retries=None,  # a worker outlasts any absence of Redis; default 100
        broker_pool_limit=SENDERS,
        # A request that cannot be queued knows within seconds; redis-py notices connections that
        # went stale by itself, and what is not sent now is sent by a later round (jobs/lanes.py).
        task_publish_retry=False,
        broker_transport="jobs.broker_transport:Transport",
        broker_transport_options={
            # A message that was taken is gone from Redis. Kept there until it is acknowledged, it
            # would come again hours later, and its acknowledgement would fail after every lost
            # connection. Dead workers are noticed by their leases, lost messages by the lanes.
            "ack_emulation": False,
            # Take from the first queue that has work, in the order of `Priority`.
            "queue_order_strategy": "priority",
            # Of a new connection that is to send something; a worker's has its own rule, above.
            "max_retries": 0,
            "socket_connect_timeout": 2,
            "socket_timeout": ANSWER_SECONDS,
            "socket_keepalive": True,
            "health_check_interval": 15,
        },
    )
    return celery


@contextmanager
def _bare_errors() -> Iterator[None]:
    """Raise what redis-py did where kombu wraps it, so that a timeout is seen for one."""
    try:
        yield
    except OperationalError as error:
        if isinstance(error.__cause__, redis.RedisError):
            raise error.__cause__ from error
        raise


@contextmanager
def _queue_errors() -> Iterator[None]:
    try:
        yield
    except (redis.RedisError, OperationalError, OSError) as error:
        msg = "the queue (Celery's broker) does not answer; try again shortly"
        raise QueueUnavailable(msg) from error


class JobQueue:
    """Puts jobs on the conveyor."""

    def __init__(self, celery: Celery, client: "redis.Redis") -> None:
        self._celery = celery
        self._redis = client
        # Waited for outside of `asking`: behind ten that meet a silent Redis, the next is refused.
        self._places = threading.BoundedSemaphore(SENDERS)

    def send(self, job_id: str, queue: str) -> None:
        """Tell the workers that a job waits.

        The task has the job's id for its own, so that Flower shows the id that clients know.

        Raises:
            QueueUnavailable: the broker took no message.
        """
        self._send(TASK, job_id, queue)

    def send_delivery(self, delivery_id: str, queue: str = WEBHOOKS) -> None:
        """Tell the courier that a webhook is due.

        Raises:
            QueueUnavailable: the broker took no message.
        """
        self._send(DELIVER, delivery_id, queue)

    def send_stage(self, call: StageCall) -> None:
        """Ask the processes of a stage for a call; a message too many does no harm.

        Raises:
            QueueUnavailable: the broker took no message.
        """
        self._send(STAGE, call.id, call.role, [call.job_id, call.attempt, call.role])

    def withdraw_stage(self, call: StageCall) -> None:
        """Take the message of a call out of its queue, if no process took it."""
        with redis_errors():
            for message in texts(self._redis.lrange(call.role, 0, -1)):
                if json.loads(message)["headers"]["id"] == call.id:
                    self._redis.lrem(call.role, 1, message)

    def _send(self, task: str, id_: str, queue: str, args: Sequence[str] | None = None) -> None:
        with _queue_errors(), self._places, asking(self._redis), _bare_errors():
            self._celery.send_task(task, args=list(args or [id_]), queue=queue, task_id=id_)

    def waiting_ids(self, queue: str) -> set[str]:
        """Return the ids in a queue's messages, which are few (jobs/lanes.py)."""
        with redis_errors():
            messages = texts(self._redis.lrange(queue, 0, -1))
        return {str(json.loads(message)["headers"]["id"]) for message in messages}
