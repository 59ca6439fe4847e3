"""Read the options of the drop-in routes, which stand in the query, in the form, or in both."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from flask import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from api.model_names import resolved_model
from api.option_fields import checked_options
from api.problems import faults_of, sentence
from api.raw_pcm import WAV_HEADER
from api.receiving import OpenMedia, Received, receive_form
from api.settings import ApiSettings
from jobs.options import JobOptions, ModelName
from jobs.request_errors import InvalidOptions

FILE_FIELD = "audio_file"

Fields = Mapping[str, Sequence[str]]


class DropInFields(BaseModel):
    """What all drop-in routes understand; what they do not know they ignore."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: ModelName | None = Field(
        default=None, description="a Whisper model, with or without `whisper-` before its name"
    )
    encode: bool | None = Field(
        default=None, description="false: the part holds raw 16 kHz mono s16le samples"
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, given: dict[str, str]) -> dict[str, str]:
        return {name: text for name, text in given.items() if text.strip()}

    @property
    def is_raw(self) -> bool:
        """Whether the media is samples without a header."""
        return self.encode is False

    @abstractmethod
    def job_values(self) -> dict[str, Any]:
        """Return the values of the job's options, by name, but for the model."""


F = TypeVar("F", bound=DropInFields)


class Asked(Generic[F]):
    """What one request asks for; a field of the form wins over the query's, the last over others.

    What is wrong in the query is refused at once, before a byte of the body is read.
    """

    def __init__(self, kind: type[F], request: Request, settings: ApiSettings) -> None:
        """Read the query.

        Raises:
            InvalidOptions, UnknownModel: what is wrong with which.
        """
        self._kind = kind
        self._request = request
        self._query = dict(request.args.lists())
        self._settings = settings
        self._began_raw: bool | None = None  # None: the file has not begun
        self.fields: F
        self._read({})

    def receive(self, open_media: OpenMedia) -> Received:
        """Read the body; afterwards `fields` is all that the client asks for.

        Raises:
            RequestError: the form is at fault.
        """
        return receive_form(
            self._request,
            open_media,
            file_field=FILE_FIELD,
            read_options=self._read,
            max_file_bytes=self._settings.max_media_bytes,
            prefix_of=self._prefix,
        )

    def _read(self, form: Fields) -> JobOptions:
        """Return the job's options, given the fields of the form so far."""
        self.fields = self._fields(form)
        values = self.fields.job_values()
        if self.fields.model is not None:
            values["model"] = resolved_model(self.fields.model, self._settings)
        return checked_options(values, models=self._settings.models)

    def _prefix(self, form: Fields) -> bytes:
        """Return what is stored before the file's own bytes."""
        is_raw = self._fields(form).is_raw
        if self._began_raw is None:
            self._began_raw = is_raw
        if self._began_raw != is_raw:
            msg = "encode: send it in the query, or as a field before the file"
            raise InvalidOptions(msg)
        return WAV_HEADER if is_raw else b""

    def _fields(self, form: Fields) -> F:
        given = _last_of(self._query) | _last_of(form)
        try:
            return self._kind.model_validate(given)
        except ValidationError as error:
            faults = faults_of(error)
            raise InvalidOptions(sentence(faults), problems=faults) from error


def _last_of(fields: Fields) -> dict[str, str]:
    """Return the last text of each field; one that is empty hides nothing."""
    return {name: texts[-1] for name, texts in fields.items() if texts[-1].strip()}


def described(kind: type[DropInFields]) -> dict[str, Any]:
    """Return what a route that takes these fields adds to its OpenAPI operation."""
    properties: dict[str, Any] = kind.model_json_schema()["properties"]
    media = {"type": "string", "format": "binary", "description": "the media"}
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": False,
                "schema": schema,
                "description": schema.get("description", ""),
            }
            for name, schema in properties.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {FILE_FIELD: media} | properties,
                        "required": [FILE_FIELD],
                    }
                }
            },
        },
    }
