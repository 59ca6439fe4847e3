"""Answer the media of a job, whole or the part that a player asks for."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import StringConstraints
from werkzeug.exceptions import PreconditionFailed, RequestedRangeNotSatisfiable
from werkzeug.http import is_resource_modified

from api.access import own_job
from api.connections import abort
from api.downloads import name_download
from api.problems import problem
from api.request_model import RequestModel
from api.services import services
from jobs.errors import StorageUnavailable
from jobs.job import Job
from jobs.media_reading import MediaStream, StoredMedia

_SOUND_OR_PICTURE = re.compile(r"(audio|video)/[a-z0-9][a-z0-9.+_-]{0,100}")

log = logging.getLogger(__name__)

media = APIBlueprint("media", __name__, url_prefix="/v1/jobs", abp_tags=[Tag(name="jobs")])


class MediaPath(RequestModel):
    """Which job: its id, or the id that its owner gave it."""

    job_id: Annotated[str, StringConstraints(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteRange:
    """The bytes of media from `start` up to, but not including, `stop`."""

    start: int
    stop: int


@media.get(
    "/<job_id>/media",
    summary="Fetch the media",
    responses={
        200: {"content": {"application/octet-stream": {}}},
        206: {"content": {"application/octet-stream": {}}},
        304: None,
        416: None,
    },
)
def read(path: MediaPath) -> Response:
    """Answer what was uploaded, byte by byte; with `Range`, a part of it.

    409 while it was not fetched from the job's source yet, 410 once its time was over.
    """
    job = own_job(path.job_id)
    if job.media.purged_at is not None:
        return _gone(job.media.purged_at)
    found = services().media.find(job)
    answer = Response(mimetype=_content_type(job))
    _describe(answer, job, found)
    answer.make_conditional(request)
    if answer.status_code == HTTPStatus.NOT_MODIFIED:
        return answer
    if answer.status_code == HTTPStatus.PRECONDITION_FAILED:
        raise PreconditionFailed
    asked = _asked_range(found)
    sent = asked or ByteRange(start=0, stop=found.bytes)
    answer.content_length = sent.stop - sent.start
    if asked is not None:
        answer.status_code = HTTPStatus.PARTIAL_CONTENT
        answer.content_range.set(asked.start, asked.stop, found.bytes)
    if request.method != "HEAD":
        _stream(answer, job, found, sent)
    return answer


def _gone(purged_at: datetime) -> Response:
    msg = (
        f"the media was deleted at {purged_at:%Y-%m-%dT%H:%M:%SZ}, as its time was over "
        "(media_retention_days); the job and its transcript are still here"
    )
    return problem(HTTPStatus.GONE, "media_purged", msg)


def _describe(answer: Response, job: Job, found: StoredMedia) -> None:
    answer.headers["ETag"] = found.etag
    answer.last_modified = found.modified_at
    answer.accept_ranges = "bytes"
    answer.headers["Cache-Control"] = "private"
    # It is a stranger's file: no browser may take it for a page or a program of ours.
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = "sandbox"
    name_download(answer, "attachment", job.media.filename)


def _content_type(job: Job) -> str:
    told = (job.media.content_type or "").partition(";")[0].strip().lower()
    return told if _SOUND_OR_PICTURE.fullmatch(told) else "application/octet-stream"


def _asked_range(found: StoredMedia) -> ByteRange | None:
    """Return the one range that is asked for; None: all of it (RFC 9110, 14.2).

    Several ranges at once, a malformed one, another unit, or one of other bytes than these
    (`If-Range`) are answered with all of it, as the RFC allows.

    Raises:
        RequestedRangeNotSatisfiable: it begins after the end.
    """
    asked = request.range
    if request.method == "HEAD" or asked is None or asked.units != "bytes":
        return None
    if len(asked.ranges) != 1 or _is_of_other_bytes(found):
        return None
    start, stop = asked.ranges[0]
    if start < 0:  # the last so many bytes
        start = max(0, found.bytes + start)
    if start >= found.bytes:
        raise RequestedRangeNotSatisfiable(length=found.bytes)
    return ByteRange(start=start, stop=min(stop or found.bytes, found.bytes))


def _is_of_other_bytes(found: StoredMedia) -> bool:
    return "If-Range" in request.headers and is_resource_modified(
        request.environ,
        etag=found.etag,
        last_modified=found.modified_at,
        ignore_if_range=False,
    )


def _stream(answer: Response, job: Job, found: StoredMedia, sent: ByteRange) -> None:
    """Give an answer its body, and the place that it takes among those who hold a thread."""
    with services().watcher.place() as place:
        stream = services().media.open(found, start=sent.start, stop=sent.stop)
        place.callback(stream.close)
        answer.response = _sent(stream, request.environ, job.id)
        answer.call_on_close(place.pop_all().close)


def _sent(stream: MediaStream, environ: dict[str, Any], job_id: str) -> Iterator[bytes]:
    try:
        yield from stream
    except StorageUnavailable as error:
        log.warning("media broke off: %r", error.__cause__, extra={"job_id": job_id})
        abort(environ)
