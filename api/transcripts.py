"""Answer the transcript of a job, in any format."""

from http import HTTPStatus
from typing import Annotated

from flask import Response, jsonify, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field, StringConstraints, WithJsonSchema

from api.access import own_job
from api.downloads import name_download
from api.problems import problem
from api.request_model import RequestModel
from api.services import services
from jobs.job import Job
from jobs.request_errors import TranscriptNotReady, UnknownFormat
from jobs.s3_client import storage_errors
from transcript.cue_options import CueOptions
from transcript.renderings import RENDERINGS, render
from transcript.transcript import Transcript

transcripts = APIBlueprint(
    "transcripts", __name__, url_prefix="/v1/jobs", abp_tags=[Tag(name="jobs")]
)


class TranscriptPath(RequestModel):
    """Which job: its id, or the id that its owner gave it."""

    job_id: Annotated[str, StringConstraints(min_length=1)]


class TranscriptQuery(RequestModel, CueOptions):
    """How to render it; without `format`, as `Accept` says."""

    format: Annotated[
        str,
        StringConstraints(max_length=20),
        WithJsonSchema({"type": "string", "enum": list(RENDERINGS)}),
        Field(default_factory=str),  # a default would stand in the document, where none is true
    ]


_CONTENT = {
    each.media_type: {
        "schema": {"type": "string"} if each.is_text else {"type": "string", "format": "binary"}
    }
    for each in RENDERINGS.values()
} | {"application/json": {"schema": {"type": "object"}}}


@transcripts.get(
    "/<job_id>/transcript",
    summary="Fetch the transcript",
    responses={200: {"description": "the transcript", "content": _CONTENT}},
)
def transcript(path: TranscriptPath, query: TranscriptQuery) -> Response:
    """Render the transcript of a job that succeeded; 409 while it did not."""
    name = query.format or _accepted_format()
    if name not in RENDERINGS:
        msg = f"unknown format {name[:40]!r}; known are: {', '.join(RENDERINGS)}"
        raise UnknownFormat(msg)
    job = own_job(path.job_id)
    try:
        stored = services().files.open_transcript(job)
    except TranscriptNotReady as error:
        return _not_ready(job, error)
    with storage_errors(), stored:
        found = Transcript.model_validate_json(stored.read())
    options = CueOptions.model_validate(query.model_dump(exclude={"format"}))
    rendering = RENDERINGS[name]
    answer = Response(render(found, name, options), mimetype=rendering.media_type)
    answer.vary.add("Accept")
    # Browsers show plain text and JSON; the rest they save, under the media's own name.
    is_shown = rendering.media_type in ("text/plain", "application/json")
    stem = job.media.filename.rpartition(".")[0] or job.media.filename
    name_download(answer, "inline" if is_shown else "attachment", f"{stem}{rendering.suffix}")
    return answer


def _accepted_format() -> str:
    """Return the format that `Accept` asks for; JSON where it does not say."""
    media_types = {rendering.media_type: name for name, rendering in RENDERINGS.items()}
    media_types["text/plain"] = "txt"  # rttm has the same type
    media_types = {"application/json": "json"} | media_types
    best = request.accept_mimetypes.best_match(media_types, default="application/json")
    return media_types[best]


def _not_ready(job: Job, error: TranscriptNotReady) -> Response:
    answer = problem(HTTPStatus.CONFLICT, error.code, error.message)
    body = {**(answer.get_json() or {}), "job_status": str(job.status)}
    return Response(jsonify(body).data, status=409, content_type=answer.content_type)
