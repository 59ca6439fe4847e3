"""Tell a client what happens to a job while it happens: a stream of server-sent events.

What is told is in `api/told.py`; here is how the stream ends:

    done         the job is over
    gone         the job was deleted
    unavailable  the job store stays away

EventSource connects again after every end of a stream, and gives up at any status but 200 (WHATWG
HTML, 9.2.3). So a client that has seen `done` gets a 204, which stops it; and a job store that is
away for a moment ends no open stream, because the next request would be a 503, which stops it too.
"""

import json
import logging
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import ConfigDict, Field, StringConstraints

from api import server_sent
from api.access import own_job
from api.connections import abort, hang_ups
from api.request_model import RequestModel
from api.services import services
from api.told import Told, done_id
from api.waiting import ClientGone, JobWatcher
from jobs.errors import ServiceError, Unavailable
from jobs.job import Job
from jobs.request_errors import JobNotFound, JobPurged

RETRY_MILLISECONDS = 2000  # before a client whose stream broke connects again
OUTAGE_BEATS = 4  # signs of life without the job store, before the stream ends

log = logging.getLogger(__name__)

events = APIBlueprint("events", __name__, url_prefix="/v1/jobs", abp_tags=[Tag(name="jobs")])


class EventsPath(RequestModel):
    """Which job: its id, or the id that its owner gave it."""

    job_id: Annotated[str, StringConstraints(min_length=1)]


class EventsQuery(RequestModel):
    """Where to go on, from clients that cannot set a header; the header counts for more."""

    last_event_id: Annotated[str, StringConstraints(max_length=100)] = ""


class EventsHeader(RequestModel):
    """Where to go on: the id of the last event that the client has."""

    model_config = ConfigDict(extra="ignore")

    last_event_id: str = Field(default="", alias="Last-Event-ID")


@events.get(
    "/<job_id>/events",
    summary="Watch a job",
    responses={
        200: {
            "description": "`status`, `progress` and `segment` as they happen, then `done`",
            "content": {server_sent.MEDIA_TYPE: {"schema": {"type": "string"}}},
        },
        204: {"description": "nothing happened since the `done` that `Last-Event-ID` names"},
    },
)
def follow(path: EventsPath, query: EventsQuery, header: EventsHeader) -> Response:
    """Stream what happens to the job, with the text as it is recognised, until it is over."""
    job = own_job(path.job_id)
    last_id = header.last_event_id or query.last_event_id
    if job.status.is_final and last_id == done_id(job):
        answer = Response(status=HTTPStatus.NO_CONTENT)
        del answer.headers["Content-Type"]
        return answer
    found = services()
    with found.watcher.place() as place:
        stream = _Stream(
            job_id=job.id,
            told=Told.up_to(last_id, position=found.figures.queue_position, heard=found.heard),
            watcher=found.watcher,
            beat_seconds=found.settings.heartbeat_seconds,
            environ=request.environ,
        )
        answer = Response(
            stream.parts(), mimetype=server_sent.MEDIA_TYPE, headers=server_sent.HEADERS
        )
        answer.call_on_close(place.pop_all().close)
        return answer


@dataclass(slots=True, kw_only=True)
class _Stream:
    """An answer that lasts as long as its job."""

    job_id: str
    told: Told
    watcher: JobWatcher
    beat_seconds: float
    environ: dict[str, Any]  # of the request
    missed_beats: int = 0

    def parts(self) -> Iterator[bytes]:
        """Yield events and signs of life until there is nothing more to tell."""
        yield server_sent.retry(RETRY_MILLISECONDS)
        try:
            while not self.told.is_over:
                yield self._next()
        except ClientGone:
            # It may have closed only its sending side, and still read.
            abort(self.environ)
        except (JobNotFound, JobPurged) as error:
            yield _last("gone", error)
        except Unavailable as error:
            log.warning("%s: %s", error.code, error, extra={"job_id": self.job_id})
            yield _last("unavailable", error)

    def _next(self) -> bytes:
        try:
            told = self._wait()
        except Unavailable:
            self.missed_beats += 1
            if self.missed_beats > OUTAGE_BEATS:
                raise
            return self._pause()
        self.missed_beats = 0
        return told

    def _wait(self) -> bytes:
        told = b""

        def is_news(job: Job) -> bool:
            nonlocal told
            told = self.told.news(job)
            return bool(told)

        # After progress was told, a short wait that tells of other things only; then a long one.
        # The short one may end with nothing to send, which is no sign of life either.
        quiet_seconds = self.told.quiet_seconds
        self.watcher.wait(
            self.job_id, is_news, seconds=quiet_seconds or self.beat_seconds, client=self._client
        )
        return told if told or quiet_seconds else server_sent.comment()

    def _pause(self) -> bytes:
        with hang_ups.watch(self._client) as gone:
            if gone.wait(self.beat_seconds):
                raise ClientGone
        return server_sent.comment()

    @property
    def _client(self) -> socket.socket | None:
        return self.environ.get("gunicorn.socket")


def _last(name: str, error: ServiceError) -> bytes:
    return server_sent.event(name, json.dumps({"code": error.code, "detail": error.message}))
