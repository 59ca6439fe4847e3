"""Take ids from Celery's queues and deal with them, several at once in one process.

Threads, because one copy of the models serves all jobs and CUDA does not survive a fork, and
because a courier only waits for others.
"""

import logging
import signal
from collections.abc import Callable, Sequence

from celery import Celery, signals

from jobs.delivery import Delivery, DeliveryStatus
from jobs.errors import ServiceError, Unavailable
from jobs.job import Job
from jobs.options import Priority
from jobs.queue import DELIVER, STAGE, TASK, WEBHOOKS
from jobs.stage_call import StageCall, StageRole
from jobs.status import JobStatus
from worker.drain import Drain

log = logging.getLogger(__name__)


class JobFailed(ServiceError):
    """Shows a failed job as failed in Flower too; its record says everything."""

    code = "job_failed"


class DeliveryFailed(ServiceError):
    """Shows a failed attempt as failed in Flower too; the delivery's log says everything."""

    code = "delivery_failed"


def consume_jobs(
    celery: Celery,
    perform: Callable[[str], Job | None],
    *,
    name: str,
    jobs_at_once: int,
    drain: Drain,
) -> None:
    """Perform jobs until told to stop; how long those that run have then is up to `drain`."""
    _obey_signals(drain)

    @celery.task(name=TASK, throws=(JobFailed, Unavailable))
    def transcribe(job_id: str) -> None:
        job = perform(job_id)
        if job is not None and job.status is JobStatus.FAILED and job.failure is not None:
            raise JobFailed(job.failure.code)

    _serve(celery, name=name, queues=[str(queue) for queue in Priority], at_once=jobs_at_once)


def consume_stage(
    celery: Celery,
    serve: Callable[[StageCall], None],
    *,
    role: StageRole,
    name: str,
    drain: Drain,
) -> None:
    """Do one stage of the jobs of other processes, one at a time, until told to stop."""
    _obey_signals(drain)

    @celery.task(name=STAGE, throws=(Unavailable,))
    def stage(job_id: str, attempt: str, asked: str) -> None:
        serve(StageCall(job_id=job_id, attempt=attempt, role=StageRole(asked)))

    _serve(celery, name=name, queues=[str(role)], at_once=1)


def _obey_signals(drain: Drain) -> None:
    """Begin a drain with each word to end."""

    def begin(**_: object) -> None:
        drain.begin()

    def at_once(*_: object) -> None:
        # Celery's own answer to SIGQUIT waits for the jobs without telling them.
        drain.begin()
        signal.raise_signal(signal.SIGTERM)

    def obey(**_: object) -> None:
        signal.signal(signal.SIGQUIT, at_once)
        signal.signal(signal.SIGINT, lambda *_: signal.raise_signal(signal.SIGTERM))

    signals.worker_shutting_down.connect(begin, weak=False)  # with each SIGTERM
    signals.worker_ready.connect(obey, weak=False)  # Celery has set up its own by then


def consume_deliveries(
    celery: Celery, attempt: Callable[[str], Delivery | None], *, name: str, calls_at_once: int
) -> None:
    """Deliver webhooks until told to stop; SIGTERM lets calls that are under way end first."""

    @celery.task(name=DELIVER, throws=(DeliveryFailed, Unavailable))
    def deliver(delivery_id: str) -> None:
        delivery = attempt(delivery_id)
        if delivery is not None and delivery.status is not DeliveryStatus.DELIVERED:
            raise DeliveryFailed(str(delivery.status))

    _serve(celery, name=name, queues=[WEBHOOKS], at_once=calls_at_once)


def _serve(celery: Celery, *, name: str, queues: Sequence[str], at_once: int) -> None:
    worker = celery.Worker(
        hostname=name,
        pool="threads",
        concurrency=at_once,
        queues=list(queues),
        task_events=True,
        loglevel="INFO",
        without_gossip=True,  # workers have nothing to say to each other
        without_mingle=True,
    )
    worker.start()
