"""`POST /asr`: the one call of the replaced service, held until the job is over."""

import json
from dataclasses import dataclass
from pathlib import PurePosixPath

from flask import Response, request
from flask_openapi3 import APIBlueprint, MediaType, Schema, Tag

from api.asr_answers import AsrAnswer
from api.asr_options import AsrFields
from api.drop_in_fields import Asked, described
from api.held_answers import Manner, answer_held
from api.services import services
from jobs.job import Job
from transcript.renderings import RENDERINGS, Rendering, render
from transcript.transcript import Transcript

_BARE = ("srt", "vtt", "txt", "tsv")  # what may be answered without JSON around it

# What each begins with, whatever was said, and what may stand behind that without a meaning: empty
# lines before the first cue, below the head of a table, before a text; in WebVTT spaces on its
# first line, which the rest of the file ends.
_NOTHING = Transcript(text="", language=None, duration=0.0)
_OPENINGS = {name: render(_NOTHING, name) for name in _BARE}
_OPENINGS["vtt"] = _OPENINGS["vtt"].removesuffix(b"\n")
_BEATS = {"vtt": b" "}

asr = APIBlueprint("asr", __name__, abp_tags=[Tag(name="drop-in")])

AsrAnswer.model_config["openapi_extra"] = {  # type: ignore[typeddict-unknown-key]
    "description": "the transcript; with `output`, or `Accept: text/plain`, as bare text",
    "content": {
        RENDERINGS[name].media_type: MediaType(schema=Schema(type="string")) for name in _BARE
    },
}


@asr.post(
    "/asr",
    summary="Transcribe, and wait for it",
    responses={200: AsrAnswer},
    openapi_extensions=described(AsrFields),
)
def transcribe() -> Response:
    """Take the media as the part `audio_file`, options in the query or as fields of the form.

    The answer to a long job begins early, with white space that grows until the job is over; if
    that fails, it ends in `{"detail": …}` and the connection breaks. Hanging up cancels the job,
    unless the same request came again meanwhile: the same media and options share one job.
    """
    asked = Asked(AsrFields, request, services().settings)
    prefers_text = request.accept_mimetypes.best == "text/plain"
    return answer_held(asked.receive, _Reply(asked=asked, prefers_text=prefers_text))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    """A transcript in the form that the client asked for."""

    asked: Asked[AsrFields]
    prefers_text: bool

    def manner(self, job: Job) -> Manner:
        """Return what kind of answer it will be."""
        if not self._is_bare:
            return Manner()
        name, rendering = self._rendering
        return Manner(
            content_type=f"{rendering.media_type}; charset=utf-8",
            filename=f"{PurePosixPath(job.media.filename).stem}{rendering.suffix}",
            opening=_OPENINGS[name],
            beat=_BEATS.get(name, b"\n"),
        )

    def content(self, transcript: Transcript) -> bytes:
        """Return the whole answer."""
        if self._shape == "json":
            return AsrAnswer.of(transcript).model_dump_json().encode()
        name, _ = self._rendering
        content = render(transcript, name)
        return content if self._is_bare else self._wrapped(content.decode(), transcript)

    def _wrapped(self, text: str, transcript: Transcript) -> bytes:
        answer: dict[str, object] = {self._shape: text}
        if transcript.warnings:
            answer["warnings"] = [warning.model_dump() for warning in transcript.warnings]
        return json.dumps(answer, ensure_ascii=False).encode()

    @property
    def _shape(self) -> str:
        return self.asked.fields.shape(prefers_text=self.prefers_text)

    @property
    def _is_bare(self) -> bool:
        return self.asked.fields.is_bare(prefers_text=self.prefers_text)

    @property
    def _rendering(self) -> tuple[str, Rendering]:
        name = "txt" if self._shape == "text" else self._shape
        return name, RENDERINGS[name]
