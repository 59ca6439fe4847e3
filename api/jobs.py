"""The native API: submit a job, follow it, cancel, retry and delete it."""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from flask import Response, request, url_for
from flask_openapi3 import APIBlueprint, Tag
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints

from api.access import own_job, owner
from api.answers import answer_json, etag_of
from api.job_request import JobRequest, receive_job
from api.job_view import JobPage, JobView
from api.last_delivery import last_delivery
from api.request_bodies import form_body, header, json_body
from api.request_model import RequestModel
from api.services import services
from api.submission import Named, submit, submit_once
from jobs.errors import StoreUnavailable
from jobs.job import Job
from jobs.ledger import bring_up_to_date
from jobs.listing import JobFilter
from jobs.options import JobOptions
from jobs.request_errors import InvalidOptions, MalformedRequest
from jobs.reservations import NameKind
from jobs.status import JobStatus

MAX_WAIT_SECONDS = 60.0  # below the idle limit of common proxies
POLL_AFTER_SECONDS = 2
MAX_KEY_CHARACTERS = 255
_WAIT = re.compile(r"(?:^|[\s,;])wait=(\d{1,20}(?:\.\d+)?)(?:$|[\s,;])", flags=re.IGNORECASE)

jobs = APIBlueprint("jobs", __name__, url_prefix="/v1/jobs", abp_tags=[Tag(name="jobs")])


class JobPath(RequestModel):
    """Which job: its id, or the id that its owner gave it."""

    job_id: Annotated[str, StringConstraints(min_length=1)]


def _not_of_ours(client_id: str) -> str:
    # Else it could stand before another job, which then nobody could reach.
    if client_id.startswith("job_"):
        msg = "ids that begin with job_ are given by this service; choose another"
        raise ValueError(msg)
    return client_id


class ClientIdPath(RequestModel):
    """An id of the client's own choice."""

    job_id: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"),
        AfterValidator(_not_of_ours),
    ]


def must_have_no_query() -> None:
    """Refuse options where they would be ignored.

    Raises:
        InvalidOptions: there is a query.
    """
    if request.args:
        names = ", ".join(request.args)[:200]
        msg = f"send options in the form or the JSON, not in the query: {names}"
        raise InvalidOptions(msg)


class WaitQuery(RequestModel):
    """How long to wait for the end of the job before answering."""

    wait: Annotated[float, Field(ge=0, le=MAX_WAIT_SECONDS)] = 0.0  # seconds


def _in_rfc3339(text: object) -> object:
    # Else a plain number would be taken for seconds since 1970.
    if isinstance(text, str) and "T" not in text.upper():
        msg = "write the moment as 2026-11-22T12:00:00Z"
        raise ValueError(msg)
    return text


Moment = Annotated[AwareDatetime, BeforeValidator(_in_rfc3339)]


class ListQuery(RequestModel):
    """Which jobs, and which page of them."""

    status: JobStatus | None = None
    batch_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    tag: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    external_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    created_after: Moment | None = None
    created_before: Moment | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, StringConstraints(pattern=r"^job_[0-9a-f]{32}$")] | None = None


_BODY = form_body(
    JobOptions,
    file_field="file",
    json_fields=("metadata", "webhook", "options"),
    also={
        "options": {
            "type": "object",
            "additionalProperties": False,
            "properties": {},  # those beside it, which are described once
            "description": "all options as one JSON object, instead of a field for each",
        }
    },
)
_BODY["content"] |= json_body(JobRequest)
_SUBMITTED: Any = {
    200: JobView,  # with `Prefer: wait=…`, when it was over by then
    202: JobView,
}
_PREFER = header("Prefer", "`wait=30`: answer when the job is over, after 30 s at the latest")
_IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "a second request with the same key and body is the same job, for 24 hours",
    minLength=1,
    maxLength=MAX_KEY_CHARACTERS,
)


@jobs.post(
    "",
    summary="Submit media",
    responses=_SUBMITTED,
    openapi_extensions={"requestBody": _BODY, "parameters": [_PREFER, _IDEMPOTENCY_KEY]},
)
def create() -> Response:
    """Take a form with the part `file` and options, or JSON that says where the media is.

    With `Idempotency-Key`, a second request with the same body answers the same job.
    """
    must_have_no_query()
    found = services()
    receive = partial(receive_job, request, settings=found.settings)
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return _accepted(Named(job=submit(found, owner(), receive), is_replay=False))
    if not 1 <= len(key) <= MAX_KEY_CHARACTERS:
        msg = f"an Idempotency-Key has 1 to {MAX_KEY_CHARACTERS} characters"
        raise MalformedRequest(msg)
    return _accepted(submit_once(found, owner(), receive, kind=NameKind.IDEMPOTENCY_KEY, name=key))


@jobs.put(
    "/<job_id>",
    summary="Submit media under an id of your own",
    responses=_SUBMITTED,
    openapi_extensions={"requestBody": _BODY},
)
def create_named(path: ClientIdPath) -> Response:
    """Take what `POST /v1/jobs` takes; a second request with the same body is the same job.

    The job answers to this id as to its own, for its owner alone.
    """
    must_have_no_query()
    found = services()
    receive = partial(receive_job, request, settings=found.settings)
    return _accepted(
        submit_once(found, owner(), receive, kind=NameKind.CLIENT_ID, name=path.job_id)
    )


@jobs.get("", summary="List jobs, newest first", responses={200: JobPage})
def listed(query: ListQuery) -> Response:
    """Answer one page; `next_cursor` asks for the one after it."""
    wanted = JobFilter(**query.model_dump(exclude={"limit", "cursor"}))
    page = services().job_list.page(owner(), wanted, limit=query.limit, before=query.cursor)
    return answer_json(
        JobPage(
            data=tuple(JobView.of(job) for job in page.jobs),
            next_cursor=page.next_cursor,
            has_more=page.next_cursor is not None,
        )
    )


@jobs.get("/<job_id>", summary="Follow a job", responses={200: JobView, 304: None})
def read(path: JobPath, query: WaitQuery) -> Response:
    """Answer the job; with `wait`, as soon as it is over.

    With `wait` and `If-None-Match`, as soon as it is another than the one of that ETag.
    """
    job = own_job(path.job_id)
    known = request.if_none_match

    def is_news(job: Job) -> bool:
        return job.status.is_final or (bool(known) and not known.contains(etag_of(_shown(job))))

    if query.wait and not is_news(job):
        job = _waited(job, is_news, query.wait)
    answer = answer_json(_shown(job), with_etag=True)
    answer.make_conditional(request)
    return answer


@jobs.post("/<job_id>/cancel", summary="Cancel a job", responses={202: JobView})
def cancel(path: JobPath) -> Response:
    """Withdraw a job; a worker that has it is free within seconds."""
    found = services()
    job = own_job(path.job_id)
    if job.status is not JobStatus.CANCELED:
        job = found.store.update(job.id, _canceled)
        bring_up_to_date(found.files, job, store=found.store)
        found.batch_endings.settle(job.batch_id)
    return answer_json(_shown(job), status=HTTPStatus.ACCEPTED)


@jobs.post("/<job_id>/retry", summary="Run a job again", responses={202: JobView})
def retry(path: JobPath) -> Response:
    """Queue a job that failed or was canceled once more, with all its attempts."""
    found = services()
    job = found.batch_endings.retry(own_job(path.job_id).id)
    bring_up_to_date(found.files, job, store=found.store)
    found.dispatch.feed(job.options.priority, job.owner)
    return answer_json(_shown(job), status=HTTPStatus.ACCEPTED)


@jobs.delete("/<job_id>", summary="Delete a job and all its files", responses={204: None})
def delete(path: JobPath) -> tuple[str, int]:
    """Cancel the job if it runs, purge media and transcripts; afterwards it answers 410."""
    found = services()
    job = own_job(path.job_id)
    # Files first: if storage is away, the job is still there to be deleted again. A worker that
    # holds the job sees at its next sign of progress that it is gone, and clears up after itself.
    found.files.purge(job)
    found.batch_endings.look_at(job.batch_id)
    found.store.purge(job.id)
    found.dispatch.feed(job.options.priority, job.owner)  # its message has made room
    found.batch_endings.settle(job.batch_id)
    return "", HTTPStatus.NO_CONTENT


def _waited(job: Job, until: Callable[[Job], bool], seconds: float) -> Job:
    watcher = services().watcher
    with watcher.place():
        client = request.environ.get("gunicorn.socket")
        return watcher.wait(job.id, until, seconds=seconds, client=client)


def _canceled(job: Job) -> Job:
    return job if job.status is JobStatus.CANCELED else job.canceled()


def _accepted(named: Named) -> Response:
    job, waited = named.job, _preferred_wait()
    # It is accepted, whatever goes away now: told otherwise, the client would send it again.
    if waited:
        with suppress(StoreUnavailable):
            job = _waited(job, lambda job: job.status.is_final, waited)
    view = JobView.of(job)
    with suppress(StoreUnavailable):
        view = _shown(job)
    is_over = bool(waited) and job.status.is_final
    answer = answer_json(view, status=HTTPStatus.OK if is_over else HTTPStatus.ACCEPTED)
    answer.headers["Location"] = url_for("jobs.read", job_id=job.id)
    if waited:
        answer.headers["Preference-Applied"] = f"wait={waited:g}"
    if not is_over:
        answer.headers["Retry-After"] = str(POLL_AFTER_SECONDS)
    if named.is_replay:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer


def _preferred_wait() -> float:
    """Return the seconds of `Prefer: wait=…` (RFC 7240), as far as we go with it."""
    found = _WAIT.search(request.headers.get("Prefer", ""))
    return min(float(found.group(1)), MAX_WAIT_SECONDS) if found else 0.0


def _shown(job: Job) -> JobView:
    return JobView.of(
        job,
        queue_position=services().figures.queue_position(job),
        last_delivery=last_delivery(job),
    )
