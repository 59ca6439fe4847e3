"""The native API: submit a job, follow it, fetch its transcript, delete it."""

from http import HTTPStatus
from typing import Annotated, Any

from flask import Response, jsonify, request, url_for
from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field, StringConstraints

from api.option_fields import options_from_form
from api.problems import problem
from api.representation import job_json
from api.request_model import RequestModel
from api.services import ANONYMOUS, services
from api.submission import submit
from jobs.errors import TranscriptNotReady, UnknownFormat
from jobs.job import Job, JobStatus
from transcript.cue_options import CueOptions
from transcript.renderings import RENDERINGS, render
from transcript.transcript import Transcript

MAX_WAIT_SECONDS = 60.0  # below the idle limit of common proxies
POLL_AFTER_SECONDS = 2

jobs = APIBlueprint("jobs", __name__, url_prefix="/v1/jobs", abp_tags=[Tag(name="jobs")])


class JobPath(RequestModel):
    """Which job."""

    job_id: Annotated[str, StringConstraints(max_length=64)]


class WaitQuery(RequestModel):
    """How long to wait for the end of the job before answering."""

    wait: Annotated[float, Field(ge=0, le=MAX_WAIT_SECONDS)] = 0.0  # seconds


class ListQuery(RequestModel):
    """Which page."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, StringConstraints(pattern=r"^job_[0-9a-f]{32}$")] | None = None


class TranscriptQuery(RequestModel, CueOptions):
    """How to render it."""

    format: Annotated[str, StringConstraints(max_length=20)] = "json"


@jobs.post("", summary="Submit media", responses={202: None})
def create() -> Response:
    """Take a multipart form: the part `file`, and options as fields or as one JSON part."""
    found = services()
    job = submit(
        request,
        found,
        file_field="file",
        read_options=lambda fields: options_from_form(fields, models=found.settings.models),
    )
    answer = jsonify(_shown(job))
    answer.status_code = HTTPStatus.ACCEPTED
    answer.headers["Location"] = url_for("jobs.read", job_id=job.id)
    answer.headers["Retry-After"] = str(POLL_AFTER_SECONDS)
    return answer


@jobs.get("", summary="List jobs, newest first")
def listed(query: ListQuery) -> Response:
    """Answer one page; `next_cursor` asks for the one after it."""
    found = services().store.newest(ANONYMOUS, limit=query.limit + 1, before=query.cursor)
    page = found[: query.limit]
    has_more = len(found) > query.limit
    return jsonify(
        data=[job_json(job, queue_position=None) for job in page],
        has_more=has_more,
        next_cursor=page[-1].id if has_more else None,
    )


@jobs.get("/<job_id>", summary="Follow a job")
def read(path: JobPath, query: WaitQuery) -> Response:
    """Answer the job; with `wait`, as soon as it is over."""
    watcher = services().watcher
    job = watcher.wait(path.job_id, lambda job: job.status.is_final, seconds=query.wait)
    return jsonify(_shown(job))


@jobs.get("/<job_id>/transcript", summary="Fetch the transcript")
def transcript(path: JobPath, query: TranscriptQuery) -> Response:
    """Render the transcript of a job that succeeded; 409 while it did not."""
    if query.format not in RENDERINGS:
        msg = f"unknown format {query.format!r}; known are: {', '.join(RENDERINGS)}"
        raise UnknownFormat(msg)
    job = services().store.get(path.job_id)
    try:
        stored = services().files.open_transcript(job)
    except TranscriptNotReady as error:
        answer = problem(HTTPStatus.CONFLICT, error.code, error.message)
        body = {**(answer.get_json() or {}), "job_status": str(job.status)}
        return Response(jsonify(body).data, status=409, content_type=answer.content_type)
    with stored:
        found = Transcript.model_validate_json(stored.read())
    options = CueOptions.model_validate(query.model_dump(exclude={"format"}))
    content = render(found, query.format, options)
    return Response(content, mimetype=RENDERINGS[query.format].media_type)


@jobs.delete("/<job_id>", summary="Delete a job and all its files", responses={204: None})
def delete(path: JobPath) -> tuple[str, int]:
    """Cancel the job if it runs, purge media and transcripts; afterwards it answers 410."""
    found = services()
    job = found.store.get(path.job_id)
    # Files first: if storage is away, the job is still there to be deleted again. A worker that
    # holds the job sees at its next sign of progress that it is gone, and clears up after itself.
    found.files.purge(job.id)
    found.store.purge(job.id)
    return "", HTTPStatus.NO_CONTENT


def _shown(job: Job) -> dict[str, Any]:
    is_queued = job.status is JobStatus.QUEUED
    position = services().store.queue_position(job) if is_queued else None
    return job_json(job, queue_position=position)
