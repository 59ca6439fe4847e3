"""Hold a request until its job is over, and show signs of life when that takes long.

An answer of a short job has its true status. On a long one the connection would look idle to
clients and proxies, so after a while the answer begins, as a success, with white space that its
format ignores; what then fails ends in an error text and a broken connection, so that nobody takes
it for complete.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Response, request

from api.access import owner
from api.connections import abort
from api.downloads import name_download
from api.faces import Face, face
from api.holding import Holding
from api.job_faults import fault_of
from api.problems import error_json, problem
from api.receiving import Receive
from api.services import services
from api.submission import submit_held
from api.waiting import ClientGone
from jobs.errors import ServiceError
from jobs.files import JobFiles
from jobs.job import Job
from jobs.s3_client import storage_errors
from transcript.transcript import Transcript

_BUG = "a fault of this service; its log says more"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What is known of an answer before there is anything to say."""

    content_type: str = "application/json"
    filename: str | None = None  # under which a browser saves it
    opening: bytes = b""  # what every answer of the kind begins with
    beat: bytes = b" "  # what may follow the opening any number of times without a meaning


class Reply(Protocol):
    """How one route answers."""

    def manner(self, job: Job) -> Manner:
        """Return what kind of answer it will be; asked when the request is read to its end."""

    def content(self, transcript: Transcript) -> bytes:
        """Return the whole answer; asked outside of the request's context."""


def answer_held(receive: Receive, reply: Reply) -> Response:
    """Take a job in, wait for its end, and answer.

    A client that hangs up lets go of its job, which is canceled unless another request holds it.

    Raises:
        TooManyWaiting: before anything is read.
        Whatever `submit_held` raises.
    """
    with ExitStack() as on_exit:
        return await_end(begin_holding(receive, on_exit), reply, on_exit)


def begin_holding(receive: Receive, on_exit: ExitStack) -> Holding:
    """Take a job in and hold it until `on_exit` closes.

    Raises:
        TooManyWaiting: before anything is read.
        Whatever `submit_held` raises.
    """
    found = services()
    on_exit.enter_context(found.watcher.place())
    held = submit_held(found, owner(), receive)
    client = request.environ.get("gunicorn.socket")
    return on_exit.enter_context(Holding(found, held, client=client))


def await_end(holding: Holding, reply: Reply, on_exit: ExitStack) -> Response:
    """Answer when the job is over; after a while, begin before it is.

    Args:
        holding: of the job.
        reply: what the answer looks like.
        on_exit: what lets go of the job; an answer that has begun takes it along.
    """
    found = services()
    job = holding.wait(seconds=found.settings.heartbeat_seconds)
    if job.status.is_final:
        return _whole(job, reply)
    manner = reply.manner(job)
    long = _Long(
        holding=holding,
        reply=reply,
        manner=manner,
        files=found.files,
        beat_seconds=found.settings.heartbeat_seconds,
        environ=request.environ,
        face=face(),
    )
    answer = _with_head(Response(long.parts()), manner, job)
    # However the answer ends, and even if it never begins.
    answer.call_on_close(on_exit.pop_all().close)
    return answer


def _whole(job: Job, reply: Reply) -> Response:
    fault = fault_of(job)
    if fault is not None:
        refused = problem(fault.status, fault.code, fault.detail)
        refused.headers["X-Job-ID"] = job.id
        return refused
    content = reply.content(transcript_of(job, services().files))
    return _with_head(Response(content), reply.manner(job), job)


def transcript_of(job: Job, files: JobFiles) -> Transcript:
    """Read the transcript of a job that succeeded.

    Raises:
        StorageUnavailable: it cannot be read now.
    """
    with storage_errors(), files.open_transcript(job) as stored:
        return Transcript.model_validate_json(stored.read())


def _with_head(answer: Response, manner: Manner, job: Job) -> Response:
    answer.content_type = manner.content_type
    answer.headers["X-Job-ID"] = job.id  # to look it up, or to delete it, at /v1/jobs
    if manner.filename is not None:
        name_download(answer, "attachment", manner.filename)
    return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Long:
    """An answer that began before its job was over."""

    holding: Holding
    reply: Reply
    manner: Manner
    files: JobFiles
    beat_seconds: float
    environ: dict[str, Any]  # of the request
    face: Face  # whose shape an error has

    def parts(self) -> Iterator[bytes]:
        """Yield signs of life, then the rest of the answer."""
        yield self.manner.opening + self.manner.beat
        try:
            while not self.holding.wait(seconds=self.beat_seconds).status.is_final:
                yield self.manner.beat
            ending, is_whole = self._ending(self.holding.job)
        except ClientGone:
            # It may have closed only its sending side, and still read.
            abort(self.environ)
            return
        except ServiceError as error:
            log.warning("%s: %s", error.code, error, extra={"job_id": self.holding.job.id})
            ending, is_whole = self._error(503, error.code, error.message), False
        except Exception:
            log.exception("an answer broke off", extra={"job_id": self.holding.job.id})
            ending, is_whole = self._error(500, "internal", _BUG), False
        yield ending
        if not is_whole:
            abort(self.environ)

    def _ending(self, job: Job) -> tuple[bytes, bool]:
        """Return what is left to say, and whether it makes the answer whole."""
        fault = fault_of(job)
        if fault is not None:
            return self._error(fault.status, fault.code, fault.detail), False
        content = self.reply.content(transcript_of(job, self.files))
        return content.removeprefix(self.manner.opening), True

    def _error(self, status: int, code: str, detail: str) -> bytes:
        return json.dumps(error_json(self.face, status, code, detail), ensure_ascii=False).encode()
