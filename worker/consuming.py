"""Take job ids from Celery's queues and perform them, several at once in one process."""

import logging
from collections.abc import Callable

from celery import Celery

from jobs.errors import ServiceError
from jobs.job import Job
from jobs.options import Priority
from jobs.queue import TASK
from jobs.status import JobStatus

log = logging.getLogger(__name__)


class JobFailed(ServiceError):
    """Shows a failed job as failed in Flower too; its record says everything."""

    code = "job_failed"


def consume(
    celery: Celery, perform: Callable[[str], Job | None], *, name: str, jobs_at_once: int
) -> None:
    """Work until told to stop; SIGTERM lets running jobs end first.

    Threads, because one copy of the models serves them all and CUDA does not survive a fork.
    """

    @celery.task(name=TASK, throws=(JobFailed,))
    def transcribe(job_id: str) -> None:
        job = perform(job_id)
        if job is not None and job.status is JobStatus.FAILED and job.failure is not None:
            raise JobFailed(job.failure.code)

    worker = celery.Worker(
        hostname=name,
        pool="threads",
        concurrency=jobs_at_once,
        queues=[str(queue) for queue in Priority],
        task_events=True,
        loglevel="INFO",
        without_gossip=True,  # workers have nothing to say to each other
        without_mingle=True,
    )
    worker.start()
