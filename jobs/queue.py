"""Carry job ids to the workers and delivery ids to the courier, with Celery.

A message holds nothing but the id: what the job is stands in its record. A message may come
twice or late, because claiming a job is one atomic step that refuses the second (`jobs/leases.py`).
Which messages are in a queue, and which wait for their turn: `jobs/lanes.py`.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from celery import Celery
from kombu import Queue
from kombu.exceptions import OperationalError

from jobs.errors import QueueUnavailable
from jobs.options import Priority
from jobs.redis_client import redis_errors, texts
from jobs.settings import StoreSettings

TASK = "whisperline.transcribe"
DELIVER = "whisperline.deliver"
WEBHOOKS = "webhooks"  # the courier's queue
LONGEST_JOB_SECONDS = 12 * 3600


def connect(settings: StoreSettings) -> Celery:
    """Return the Celery app that all programs share."""
    celery = Celery(
        "whisperline", broker=settings.redis_url.get_secret_value(), set_as_current=False
    )
    celery.conf.update(
        task_ignore_result=True,  # the job record is the result
        task_acks_late=True,  # acknowledged when done, not when taken
        task_reject_on_worker_lost=True,  # without it, a killed child still acknowledges
        worker_prefetch_multiplier=1,  # a busy GPU holds no second job
        worker_send_task_events=True,  # for Flower
        task_send_sent_event=True,
        worker_hijack_root_logger=False,
        # The broker's messages are ids, never pickles.
        task_serializer="json",
        accept_content=["json"],
        task_default_queue=Priority.NORMAL,
        task_queues=[Queue(name, routing_key=name) for name in (*Priority, WEBHOOKS)],
        task_create_missing_queues=False,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=2,
        # A request that cannot be queued knows within seconds.
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0.1},
        broker_transport_options={
            # Redis redelivers an unacknowledged message after this (default 1 h): outlast the
            # longest job. Dead workers are noticed by their leases, not by this.
            "visibility_timeout": LONGEST_JOB_SECONDS,
            # Take from the first queue that has work, in the order of `Priority`.
            "queue_order_strategy": "priority",
            "socket_connect_timeout": 2,
            "socket_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 15,
        },
    )
    return celery


@contextmanager
def _queue_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, OSError) as error:
        msg = "the queue (Celery's broker) does not answer; try again shortly"
        raise QueueUnavailable(msg) from error


class JobQueue:
    """Puts jobs on the conveyor."""

    def __init__(self, celery: Celery, client: "redis.Redis") -> None:
        self._celery = celery
        self._redis = client

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

    def _send(self, task: str, id_: str, queue: str) -> None:
        with _queue_errors():
            self._celery.send_task(task, args=[id_], queue=queue, task_id=id_)

    def waiting_ids(self, queue: str) -> set[str]:
        """Return the ids in a queue's messages, which are few (jobs/lanes.py)."""
        with redis_errors():
            messages = texts(self._redis.lrange(queue, 0, -1))
        return {str(json.loads(message)["headers"]["id"]) for message in messages}
