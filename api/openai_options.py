"""Read the form that clients of the OpenAI audio API send."""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

from flask import Request
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from api.model_names import resolved_model
from api.option_fields import checked_options
from api.problems import faults_of, sentence
from api.receiving import OpenMedia, Received, receive_form
from api.settings import ApiSettings
from jobs.options import MAX_PROMPT_CHARACTERS, JobOptions, Language, Priority, Prompt, Task
from jobs.request_errors import InvalidOptions, UnknownModel

FILE_FIELD = "file"
_DIARIZING_MODEL = "gpt-4o-transcribe-diarize"

Fields = Mapping[str, Sequence[str]]


class ResponseFormat(StrEnum):
    """What the answer looks like, in OpenAI's words."""

    JSON = "json"
    TEXT = "text"
    SRT = "srt"
    VTT = "vtt"
    VERBOSE_JSON = "verbose_json"
    DIARIZED_JSON = "diarized_json"


# What these clients may send without an effect here, and what to tell them about it.
WITHOUT_EFFECT = {
    "chunking_strategy": "this service finds the speech by itself, as with `auto`",
    "include": "there are no log probabilities of tokens; verbose_json has those of segments",
    "known_speaker_names": "speakers are told apart, not recognised: they have labels, no names",
    "known_speaker_references": "speakers are told apart, not recognised by their voices",
    "languages": "send one `language`, or none to have it detected",
    "response_format": "a stream has events of its own",
    "timestamp_granularities": "only verbose_json without `stream` lists words",
}


def _strategy(text: str) -> str:
    """Take `auto` or a JSON object."""
    msg = "send `auto` or a JSON object"
    try:
        is_known = text == "auto" or isinstance(json.loads(text), dict)
    except (ValueError, RecursionError) as error:
        raise ValueError(msg) from error
    if not is_known:
        raise ValueError(msg)
    return text


def _end_of(prompt: str) -> str:
    """Return what Whisper reads of a prompt: its end. OpenAI refuses none for its length."""
    return prompt[-MAX_PROMPT_CHARACTERS:]


class OpenAIFields(BaseModel):
    """What a form may say; what is unknown is ignored, and an empty field is one not sent."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: str | None = Field(
        default=None,
        description="an id of `/v1/models`, with or without `whisper-` before a Whisper model; "
        "unset: what `whisper-1` means",
    )
    language: Language | None = Field(default=None, description="unset: detected")
    prompt: Annotated[str, AfterValidator(_end_of)] | None = Field(
        default=None, description=f"of a longer one the last {MAX_PROMPT_CHARACTERS} characters"
    )
    hotwords: Prompt | None = Field(default=None, description="words to expect, with commas")
    keywords: tuple[str, ...] = Field(default=(), description="the same as a list")
    response_format: ResponseFormat = ResponseFormat.JSON
    temperature: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    timestamp_granularities: tuple[Literal["word", "segment"], ...] = Field(
        default=(), description="`word`: verbose_json has words; it always has segments"
    )
    stream: bool = False
    diarize: bool | None = Field(
        default=None,
        description="whether to tell speakers apart; unset: with diarized_json, and with the "
        f"model {_DIARIZING_MODEL}",
    )
    chunking_strategy: Annotated[str, AfterValidator(_strategy)] = "auto"
    include: tuple[str, ...] = Field(default=(), description="without effect")
    languages: tuple[Language, ...] = Field(default=(), description="one is taken for `language`")
    known_speaker_names: tuple[str, ...] = Field(default=(), description="without effect")
    known_speaker_references: tuple[str, ...] = Field(default=(), description="without effect")

    @model_validator(mode="before")
    @classmethod
    def _from_form(cls, form: Fields) -> dict[str, Any]:
        """Understand lists with brackets and without, and objects that are spelled out."""
        given: dict[str, Any] = {}
        for field, texts in form.items():
            name, bracket, _ = field.partition("[")
            sent = [text for text in texts if text.strip()]
            if not sent:
                continue
            if name in _LISTS:
                given.setdefault(name, []).extend(sent)
            elif not bracket:
                given[name] = sent[-1]
            elif name == "chunking_strategy":  # as in `chunking_strategy[type]=server_vad`
                given[name] = "{}"
        return given

    @property
    def is_diarized(self) -> bool:
        """Whether speakers are told apart."""
        if self.response_format is ResponseFormat.DIARIZED_JSON:
            return True
        return self.model == _DIARIZING_MODEL if self.diarize is None else self.diarize

    @property
    def has_words(self) -> bool:
        """Whether the answer lists words."""
        is_verbose = self.response_format is ResponseFormat.VERBOSE_JSON
        return is_verbose and "word" in self.timestamp_granularities

    @property
    def without_effect(self) -> tuple[str, ...]:
        """The names of fields that were sent and change nothing, in the order of the alphabet."""
        silent_in_stream = (ResponseFormat.JSON, ResponseFormat.DIARIZED_JSON)
        is_verbose = self.response_format is ResponseFormat.VERBOSE_JSON and not self.stream
        changes_nothing = {
            "chunking_strategy": self.chunking_strategy != "auto",
            "include": bool(self.include),
            "known_speaker_names": bool(self.known_speaker_names),
            "known_speaker_references": bool(self.known_speaker_references),
            "languages": len(self.languages) > 1 and self.language is None,
            "response_format": self.stream and self.response_format not in silent_in_stream,
            "timestamp_granularities": bool(self.timestamp_granularities) and not is_verbose,
        }
        return tuple(name for name, is_so in changes_nothing.items() if is_so)

    def job_values(self) -> dict[str, Any]:
        """Return the values of the job's options, by name, but for the task and the model."""
        only_language = self.languages[0] if len(self.languages) == 1 else None
        words_are_needed = self.response_format in (ResponseFormat.SRT, ResponseFormat.VTT)
        return {
            "language": self.language or only_language,
            "initial_prompt": self.prompt,
            "hotwords": ", ".join(filter(None, (self.hotwords, *self.keywords))) or None,
            "temperature": self.temperature,
            "diarize": self.is_diarized,
            # Exact times cost an aligner's run; cues need them, and so does who said which word.
            "word_timestamps": words_are_needed or self.has_words or self.is_diarized,
            "priority": Priority.INTERACTIVE,  # somebody is waiting
        }


_LISTS = frozenset(name for name, field in OpenAIFields.model_fields.items() if field.default == ())
# Recordings of voices, as data URLs: megabytes that nothing here listens to.
_UNREAD = frozenset({"known_speaker_references", "known_speaker_references[]"})


class Asked:
    """What one request asks for; known when its form is read to the end."""

    def __init__(self, request: Request, settings: ApiSettings, task: Task) -> None:
        self.fields = OpenAIFields()
        self.task = task
        self._request = request
        self._settings = settings

    def receive(self, open_media: OpenMedia) -> Received:
        """Read the form; see `receive_form`."""
        return receive_form(
            self._request,
            open_media,
            file_field=FILE_FIELD,
            read_options=self.read,
            max_file_bytes=self._settings.max_media_bytes,
            cut_fields=_UNREAD,
        )

    def read(self, form: Fields) -> JobOptions:
        """Return the job's options, given the fields of the form so far.

        Raises:
            InvalidOptions, UnknownModel: what is wrong with which.
        """
        try:
            self.fields = OpenAIFields.model_validate(form)
        except ValidationError as error:
            faults = faults_of(error)
            raise InvalidOptions(sentence(faults), problems=faults) from error
        values = self.fields.job_values() | {"task": self.task, "model": self._model()}
        return checked_options(values, models=self._settings.models)

    def _model(self) -> str | None:
        """Return the Whisper model; any other is unknown, also where its name could be none."""
        asked = self.fields.model
        model = resolved_model(asked, self._settings) if asked is not None else None
        if model is not None and model not in self._settings.models:
            msg = f"there is no model {(asked or '')[:100]!r} here; GET /v1/models lists them"
            raise UnknownModel(msg)
        return model
