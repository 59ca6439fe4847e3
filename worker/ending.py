"""Say what becomes of a job whose attempt came to an end without a transcript."""

import logging
from collections.abc import Callable
from functools import partial

from jobs.attempt import MAX_ATTEMPTS, Failure, SetbackCode
from jobs.errors import HandedBack, MediaError, OutOfMemory, Unavailable
from jobs.job import Job
from jobs.stages import Stage

RETRY_SECONDS = 15.0  # between two attempts, when something the job needs is away

log = logging.getLogger(__name__)

Change = Callable[[Job], Job]


def ending_of(error: Exception, job: Job, token: str, stage: Stage | None) -> Change:
    """Return the move that an attempt makes after what it raised."""
    match error:
        case HandedBack():
            return partial(Job.put_back, token=token)
        case OutOfMemory():
            log.warning("attempt %d: %s", job.attempt, error, extra={"job_id": job.id})
            return partial(
                Job.set_back, code=SetbackCode.OUT_OF_MEMORY, token=token, message=str(error)
            )
        case Unavailable():
            return _unavailable(error, job, token, stage)
        case MediaError():
            failure = Failure(code=error.code, message=error.message, stage=stage)
            return partial(Job.failed, failure=failure, token=token)
        case _:
            # Anything else is a bug of ours: all of it into the log, nothing of it outside.
            log.error("job failed", exc_info=error, extra={"job_id": job.id})
            return partial(Job.failed, failure=_internal(job, stage), token=token)


def _unavailable(error: Unavailable, job: Job, token: str, stage: Stage | None) -> Change:
    """Leave the job to a later attempt; after the last one, let it fail.

    Meanwhile it pauses, so that what is away can come back.
    """
    log.warning("attempt %d: %s", job.attempt, error, extra={"job_id": job.id})
    if job.attempt < MAX_ATTEMPTS:
        return partial(
            Job.set_back,
            code=SetbackCode.UNAVAILABLE,
            token=token,
            message=error.message,
            pause_seconds=RETRY_SECONDS,
        )
    failure = Failure(code=error.code, message=error.message, stage=stage, retryable=True)
    return partial(Job.failed, failure=failure, token=token)


def _internal(job: Job, stage: Stage | None) -> Failure:
    return Failure(
        code="internal",
        message=f"a fault of this service; its log says more under job {job.id}",
        stage=stage,
        retryable=True,
    )
