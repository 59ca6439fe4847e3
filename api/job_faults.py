"""Say to a client of the drop-in routes why its job has no transcript."""

from dataclasses import dataclass
from http import HTTPStatus

from jobs.attempt import Failure
from jobs.job import Job
from jobs.status import JobStatus

# What those clients take for "never send this again"; must not occur where they should.
PERMANENT_WORDS = (
    "unsupported format",
    "invalid",
    "bad request",
    "unauthorized",
    "file too large",
)
# The media is at fault; clients look for these words of the replaced service.
_UNDECODABLE = frozenset({"unsupported_media", "corrupt_media", "no_audio_stream"})
_UNDECODABLE_WORDS = "failed to decode audio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is answered instead of a transcript."""

    status: HTTPStatus
    code: str
    detail: str


def fault_of(job: Job) -> Fault | None:
    """Return why a job that is over has no transcript; None if it has one."""
    if job.status is JobStatus.SUCCEEDED:
        return None
    if job.failure is None:
        return Fault(status=HTTPStatus.CONFLICT, code="canceled", detail="the job was canceled")
    if job.failure.retryable:
        return _transient(job.failure)
    return _permanent(job.failure)


def _transient(failure: Failure) -> Fault:
    detail = failure.message
    if any(words in detail.lower() for words in PERMANENT_WORDS):
        detail = "the service could not do this now; send the same request again"
    return Fault(status=HTTPStatus.SERVICE_UNAVAILABLE, code=failure.code, detail=detail)


def _permanent(failure: Failure) -> Fault:
    detail = failure.message
    if failure.code in _UNDECODABLE:
        detail = f"{_UNDECODABLE_WORDS}: {detail}"
    return Fault(status=HTTPStatus.BAD_REQUEST, code=failure.code, detail=detail)
