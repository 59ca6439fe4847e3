"""Many jobs under one id: send them, watch, cancel and fetch them together."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from flask import Response, request, url_for
from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field, StringConstraints

from api.access import owner
from api.answers import answer_json
from api.batch_request import LINES, BatchFields, BatchRequest
from api.batch_results import lines, manifest_of, results, zipped
from api.batch_submission import submit_batch
from api.batch_view import BatchPage, BatchView, Outlook, view_of
from api.connections import abort
from api.downloads import name_download
from api.jobs import MAX_KEY_CHARACTERS, must_have_no_query
from api.request_bodies import form_body, header, json_body
from api.request_model import RequestModel
from api.services import services
from api.transcripts import TranscriptQuery
from jobs.batch import Batch
from jobs.errors import StoreUnavailable, Unavailable
from jobs.request_errors import MalformedRequest, UnknownFormat
from transcript.cue_options import CueOptions
from transcript.renderings import RENDERINGS

POLL_AFTER_SECONDS = 10
CANCEL_SECONDS = 8.0  # the housekeeper does the rest
PURGE_SECONDS = 5.0

log = logging.getLogger(__name__)

batches = APIBlueprint(
    "batches", __name__, url_prefix="/v1/batches", abp_tags=[Tag(name="batches")]
)


class BatchPath(RequestModel):
    """Which batch."""

    batch_id: Annotated[str, StringConstraints(min_length=1)]


class BatchListQuery(RequestModel):
    """Which page of the batches."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, StringConstraints(pattern=r"^bat_[0-9a-f]{32}$")] | None = None


_BODY = form_body(BatchFields, file_field="file", json_fields=("options", "metadata", "webhook"))
_BODY["content"] |= json_body(BatchRequest)
_BODY["content"] |= {
    name: {"schema": {"type": "string", "description": "a job a line, as in `items`"}}
    for name in LINES
}
_IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "a second request with the same key and body is the same batch, for 24 hours",
    minLength=1,
    maxLength=MAX_KEY_CHARACTERS,
)
_GONE: Any = {
    410: {
        "description": "it was deleted, or all its jobs were",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
}
_RESULTS: Any = _GONE | {
    200: {
        "description": "a line for each job; with `format`, an archive",
        "content": {
            "application/x-ndjson": {"schema": {"type": "string"}},
            "application/zip": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@batches.post(
    "",
    summary="Submit many jobs",
    responses=_GONE | {202: BatchView},
    openapi_extensions={"requestBody": _BODY, "parameters": [_IDEMPOTENCY_KEY]},
)
def create() -> Response:
    """Take up to 10,000 jobs: as JSON, as lines of JSON, as a form with such a file, or a prefix.

    Either all of them are accepted, or none; what is wrong is told of all at once.
    """
    must_have_no_query()
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= MAX_KEY_CHARACTERS:
        msg = f"an Idempotency-Key has 1 to {MAX_KEY_CHARACTERS} characters"
        raise MalformedRequest(msg)
    named = submit_batch(services(), owner(), request, key=key)
    answer = _answer(named.batch_id, status=HTTPStatus.ACCEPTED)
    answer.headers["Location"] = url_for("batches.read", batch_id=named.batch_id)
    answer.headers["Retry-After"] = str(POLL_AFTER_SECONDS)
    if named.is_replay:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer


@batches.get("", summary="List batches, newest first", responses={200: BatchPage})
def listed(query: BatchListQuery) -> Response:
    """Answer one page; `next_cursor` asks for the one after it."""
    found = services()
    page = found.batches.page(owner(), limit=query.limit + 1, before=query.cursor)
    shown, has_more = page[: query.limit], len(page) > query.limit
    outlook = Outlook.of(found)
    return answer_json(
        BatchPage(
            data=tuple(view_of(found, each, outlook) for each in shown),
            next_cursor=shown[-1].batch.id if has_more else None,
            has_more=has_more,
        )
    )


@batches.get("/<batch_id>", summary="Watch a batch", responses=_GONE | {200: BatchView})
def read(path: BatchPath) -> Response:
    """Answer how many of its jobs stand where, and when it may be over."""
    return _answer(path.batch_id)


@batches.post("/<batch_id>/cancel", summary="Cancel a batch", responses=_GONE | {202: BatchView})
def cancel(path: BatchPath) -> Response:
    """Withdraw all of its jobs that are not over; a second time changes nothing."""
    found = services()
    batch = found.batches.find(path.batch_id, owner()).batch
    batch = found.batches.cancel(batch.id) or batch
    if batch.is_canceling:
        found.batch_work.bring_up_to_date(batch)
        with suppress(StoreUnavailable):  # the record says it; the housekeeper does the rest
            found.batch_work.cancel(batch, seconds=CANCEL_SECONDS)
    return _answer(path.batch_id, status=HTTPStatus.ACCEPTED)


@batches.delete(
    "/<batch_id>", summary="Delete a batch and all its jobs", responses=_GONE | {204: None}
)
def delete(path: BatchPath) -> tuple[str, int]:
    """Cancel what is not over, and purge all its jobs with all their files.

    Afterwards it answers 410; of a large batch, the files go in the minutes that follow.
    """
    found = services()
    batch = found.batches.find(path.batch_id, owner()).batch
    found.batches.delete(batch)
    # Else it would come back, if Redis were emptied before all of it is deleted.
    found.batch_work.bring_up_to_date(batch.deleted(datetime.now(UTC)))
    if batch.is_accepted:  # else somebody is still writing its jobs down
        with suppress(Unavailable):  # the housekeeper does the rest
            found.batch_work.purge(batch, seconds=PURGE_SECONDS)
    return "", HTTPStatus.NO_CONTENT


@batches.get("/<batch_id>/results", summary="Fetch all transcripts", responses=_RESULTS)
def read_results(path: BatchPath, query: TranscriptQuery) -> Response:
    """Answer a line of JSON for each job, in the order of the items, its transcript included.

    With `format`, a zip with a file for each transcript, and `results.jsonl` that lists all jobs.
    """
    if query.format and query.format not in RENDERINGS:
        msg = f"unknown format {query.format[:40]!r}; known are: {', '.join(RENDERINGS)}"
        raise UnknownFormat(msg)
    batch = services().batches.find(path.batch_id, owner()).batch
    answer = Response(mimetype="application/zip" if query.format else LINES[0])
    name_download(answer, "attachment", f"{batch.id}.{'zip' if query.format else 'jsonl'}")
    if request.method != "HEAD":
        _stream(answer, batch, query)
    return answer


def _stream(answer: Response, batch: Batch, query: TranscriptQuery) -> None:
    """Give an answer its body, and the place that it takes among those who hold a thread."""
    found = services()
    with found.watcher.place() as place:
        each = results(found, batch, manifest_of(found, batch))
        if query.format:
            options = CueOptions.model_validate(query.model_dump(exclude={"format"}))
            body = zipped(each, query.format, options)
        else:
            body = lines(each)
        answer.response = _sent(body, request.environ, batch.id)
        answer.call_on_close(each.close)
        answer.call_on_close(place.pop_all().close)


def _sent(body: Iterator[bytes], environ: dict[str, Any], batch_id: str) -> Iterator[bytes]:
    try:
        yield from (piece for piece in body if piece)
    except Unavailable as error:
        log.warning("results of %s broke off: %r", batch_id, error.__cause__)
        abort(environ)


def _answer(batch_id: str, *, status: int = HTTPStatus.OK) -> Response:
    found = services()
    batch = found.batches.find(batch_id, owner())
    return answer_json(view_of(found, batch, Outlook.of(found)), status=status)
