"""`POST /asr`: the one call of the replaced service, held until the job is over."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from flask import Response, jsonify, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from api.option_fields import checked_options
from api.problems import faults_of, problem, sentence
from api.services import services
from api.submission import submit
from jobs.errors import InvalidOptions, UnknownFormat
from jobs.job import Job, JobStatus
from jobs.options import JobOptions, Priority
from transcript.renderings import RENDERINGS, render
from transcript.transcript import Segment, Transcript, Word

# One look at the job at least this often; the wait itself has no end but the job's.
_LONG_SECONDS = 3600.0

asr = APIBlueprint("asr", __name__, abp_tags=[Tag(name="drop-in")])


def _empty_is_unset(value: object) -> object:
    return None if value == "" else value


Unset = BeforeValidator(_empty_is_unset)


class AsrOptions(BaseModel):
    """The options of `/asr`, from query and form alike; what it does not know it ignores."""

    model_config = ConfigDict(extra="ignore")

    output: Annotated[str | None, Unset] = None  # the bare text; wins over `output_format`
    output_format: Annotated[str | None, Unset] = None  # the text inside JSON
    diarize: Annotated[bool | None, Unset] = None
    enable_diarization: Annotated[bool | None, Unset] = None

    @property
    def format(self) -> str:
        """Which rendering is asked for; `text` is the replaced service's word for txt."""
        return "txt" if self.shown_format == "text" else self.shown_format

    @property
    def shown_format(self) -> str:
        """The key around a wrapped text, in the client's own word."""
        return (self.output or self.output_format or "json").lower()

    @property
    def is_bare(self) -> bool:
        """Whether the answer is the text itself rather than JSON around it."""
        wants_text = request.accept_mimetypes.best == "text/plain"
        return self.format != "json" and (self.output is not None or wants_text)


_PASSED_ON = (
    "task",
    "language",
    "initial_prompt",
    "hotwords",
    "word_timestamps",
    "model",
    "num_speakers",
    "min_speakers",
    "max_speakers",
    "return_speaker_embeddings",
)


class _Asked:
    """What one request asks for; fields of the form win over the query."""

    def __init__(self, query: dict[str, str], *, models: Sequence[str]) -> None:
        self._query = query
        self._models = models
        self.wanted = AsrOptions()

    def read(self, fields: Mapping[str, Sequence[str]]) -> JobOptions:
        """Return the job's options, given the form's fields so far.

        Raises:
            InvalidOptions, UnknownFormat, UnknownModel: what is wrong with which.
        """
        given = self._query | {name: texts[-1] for name, texts in fields.items()}
        try:
            self.wanted = AsrOptions.model_validate(given)
        except ValidationError as error:
            faults = faults_of(error)
            raise InvalidOptions(sentence(faults), problems=faults) from error
        if self.wanted.format not in RENDERINGS:
            msg = f"unknown output format {self.wanted.format!r}: {', '.join(RENDERINGS)}"
            raise UnknownFormat(msg)
        toggles = (self.wanted.diarize, self.wanted.enable_diarization)
        passed_on: dict[str, Any] = {
            name: given[name] for name in _PASSED_ON if given.get(name, "") != ""
        }
        passed_on["diarize"] = True in toggles or toggles == (None, None)
        passed_on["priority"] = Priority.INTERACTIVE  # somebody is waiting
        return checked_options(passed_on, models=self._models)


@asr.post("/asr", summary="Transcribe and wait for it")
def transcribe() -> Response:
    """Take the part `audio_file`, options as query or form fields; answer the transcript."""
    found = services()
    asked = _Asked(dict(request.args.items()), models=found.settings.models)
    asked.read({})  # what is wrong in the query is refused before a byte is stored
    job = submit(request, found, file_field="audio_file", read_options=asked.read)
    while not job.status.is_final:
        job = found.watcher.wait(job.id, lambda job: job.status.is_final, seconds=_LONG_SECONDS)
    if job.status is not JobStatus.SUCCEEDED:
        return _failed(job)
    with found.files.open_transcript(job) as stored:
        transcript = Transcript.model_validate_json(stored.read())
    return _rendered(transcript, asked.wanted)


def _rendered(transcript: Transcript, wanted: AsrOptions) -> Response:
    if wanted.format == "json":
        return jsonify(_replaced_json(transcript))
    content = render(transcript, wanted.format)
    if not wanted.is_bare:
        return jsonify({wanted.shown_format: content})
    rendering = RENDERINGS[wanted.format]
    answer = Response(content, mimetype=rendering.media_type)
    answer.headers["Content-Disposition"] = f'attachment; filename="audio{rendering.suffix}"'
    return answer


def _failed(job: Job) -> Response:
    if job.status is JobStatus.CANCELED or job.failure is None:
        return problem(HTTPStatus.CONFLICT, "canceled", "the job was canceled")
    failure = job.failure
    if failure.retryable:
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, failure.code, failure.message)
    # The words that clients of the replaced service look for when media is at fault.
    detail = f"failed to decode audio: {failure.message}"
    return problem(HTTPStatus.BAD_REQUEST, failure.code, detail)


def _replaced_json(transcript: Transcript) -> dict[str, Any]:
    """Return the JSON of the replaced service."""
    segments = [_segment(segment) for segment in transcript.segments]
    answer: dict[str, Any] = {
        "text": segments,
        "language": transcript.language,
        "segments": segments,
        "word_segments": [word for segment in segments for word in segment["words"]],
        "warnings": [warning.model_dump() for warning in transcript.warnings],
    }
    embeddings = {s.label: s.embedding for s in transcript.speakers if s.embedding is not None}
    if embeddings:
        answer["speaker_embeddings"] = embeddings
    return answer


def _segment(segment: Segment) -> dict[str, Any]:
    shown = segment.model_dump(include={"start", "end", "text", "speaker"}, exclude_none=True)
    return shown | {"words": [_word(word) for word in segment.words]}


def _word(word: Word) -> dict[str, Any]:
    return word.model_dump(exclude_none=True)
