"""The OpenAI audio API: transcribe or translate, and wait for it or watch it being written."""

from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag

from api import openai_answers
from api.error_models import OpenAIError
from api.held_answers import Manner, await_end, begin_holding
from api.holding import Holding
from api.live_text import LiveText
from api.openai_answers import OpenAIAnswer
from api.openai_options import FILE_FIELD, Asked, OpenAIFields, ResponseFormat
from api.openai_stream import TranscriptStream
from api.problems import problem
from api.request_bodies import form_body
from api.services import services
from jobs.job import Job
from jobs.options import Task
from jobs.request_errors import EmptyMedia, UnknownModel
from jobs.status import JobStatus
from transcript.renderings import RENDERINGS
from transcript.transcript import Transcript

# Which fields of a request had no effect: for clients that get no JSON to be told in.
WITHOUT_EFFECT_HEADER = "X-Options-Without-Effect"

_MANNERS = {
    ResponseFormat.TEXT: Manner(content_type="text/plain; charset=utf-8", beat=b"\n"),
    ResponseFormat.SRT: Manner(
        content_type=f"{RENDERINGS['srt'].media_type}; charset=utf-8", beat=b"\n"
    ),
    # Spaces may stand on WebVTT's first line only, which the rest of the file ends.
    ResponseFormat.VTT: Manner(
        content_type=f"{RENDERINGS['vtt'].media_type}; charset=utf-8", opening=b"WEBVTT"
    ),
}

openai_audio = APIBlueprint(
    "openai_audio", __name__, url_prefix="/v1/audio", abp_tags=[Tag(name="openai")]
)


@openai_audio.errorhandler(UnknownModel)
def unknown_model(error: UnknownModel) -> Response:
    """Answer as OpenAI does: with the status that makes its clients raise NotFoundError."""
    fault = ("/model", "model_not_found", error.message)
    return problem(HTTPStatus.NOT_FOUND, "model_not_found", error.message, faults=(fault,))


@openai_audio.errorhandler(EmptyMedia)
def empty_media(error: EmptyMedia) -> Response:
    """Name the part at fault."""
    fault = (f"/{FILE_FIELD}", error.code, error.message)
    return problem(HTTPStatus.BAD_REQUEST, error.code, error.message, faults=(fault,))


_BODY = {"requestBody": form_body(OpenAIFields, file_field=FILE_FIELD, ignores_unknown=True)}


@openai_audio.post(
    "/transcriptions",
    summary="Transcribe, and wait for it or watch",
    responses={200: OpenAIAnswer, 404: OpenAIError},
    openapi_extensions=_BODY,
)
def transcribe() -> Response:
    """Take a form with the part `file`; answer as `response_format` says, or stream events.

    A long answer begins early, with white space that grows until the job is over. Fields without
    an effect here are accepted and named in the header `X-Options-Without-Effect`, and in
    `warnings` where the answer is JSON. Hanging up cancels the job.
    """
    return _answered(Task.TRANSCRIBE)


@openai_audio.post(
    "/translations",
    summary="Translate into English, and wait for it or watch",
    responses={200: OpenAIAnswer, 404: OpenAIError},
    openapi_extensions=_BODY,
)
def translate() -> Response:
    """Take what `/v1/audio/transcriptions` takes; the model must not be an English-only one."""
    return _answered(Task.TRANSLATE)


def _answered(task: Task) -> Response:
    asked = Asked(request, services().settings, task)
    with ExitStack() as on_exit:
        holding = begin_holding(asked.receive, on_exit)
        if asked.fields.stream:
            answer = _streamed(holding, asked, on_exit)
        else:
            answer = await_end(holding, _Reply(asked=asked), on_exit)
    if holding.job.status is JobStatus.CANCELED:
        # OpenAI's clients send again what got a 409, unless they are told.
        answer.headers["X-Should-Retry"] = "false"
    if asked.fields.without_effect:
        answer.headers[WITHOUT_EFFECT_HEADER] = ", ".join(asked.fields.without_effect)
    return answer


def _streamed(holding: Holding, asked: Asked, on_exit: ExitStack) -> Response:
    found = services()
    answer = TranscriptStream(
        holding=holding,
        live=LiveText(found.heard, holding.job.id),
        files=found.files,
        fields=asked.fields,
        beat_seconds=found.settings.heartbeat_seconds,
        environ=request.environ,
    ).answer()
    # However the answer ends, and even if it never begins.
    answer.call_on_close(on_exit.pop_all().close)
    return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    """A transcript in the format that the client asked for."""

    asked: Asked

    def manner(self, job: Job) -> Manner:
        """Return what kind of answer it will be."""
        return _MANNERS.get(self.asked.fields.response_format, Manner())

    def content(self, transcript: Transcript) -> bytes:
        """Return the whole answer."""
        return openai_answers.content(transcript, self.asked.fields, self.asked.task)
