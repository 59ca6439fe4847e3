"""Read JSON bodies of a bounded size into models."""

from typing import TypeVar

from flask import Request
from pydantic import BaseModel, ValidationError

from api.multipart import MAX_FIELDS_BYTES, body_of
from api.problems import faults_of, sentence
from jobs.request_errors import InvalidOptions, MalformedRequest, TooLarge

M = TypeVar("M", bound=BaseModel)


def read_model(request: Request, model: type[M]) -> M:
    """Return what a JSON body says.

    Raises:
        TooLarge: it is over the limit; no more than that is read.
        MalformedRequest: it breaks off, or is no JSON.
        InvalidOptions: the model refuses it.
    """
    try:
        return model.model_validate_json(_text(request))
    except ValidationError as error:
        faults = faults_of(error)
        if any(code == "json_invalid" for _, code, _ in faults):
            msg = f"the body is no JSON: {sentence(faults)}"
            raise MalformedRequest(msg) from error
        raise InvalidOptions(sentence(faults), problems=faults) from error


def _text(request: Request) -> bytes:
    too_large = TooLarge(f"the JSON body is over {MAX_FIELDS_BYTES // 1024} KiB")
    if (request.content_length or 0) > MAX_FIELDS_BYTES:
        raise too_large
    text = bytearray()
    for chunk in body_of(request):
        text += chunk
        if len(text) > MAX_FIELDS_BYTES:
            raise too_large
    return bytes(text)
