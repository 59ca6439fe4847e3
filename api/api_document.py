"""Complete the OpenAPI document that flask-openapi3 makes of the views.

The library knows paths, parameters and models. What is the same everywhere is added here once: who
may call, the errors of each face, the headers of every answer.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.access import is_public
from api.error_models import DetailError, OpenAIError, Problem
from api.faces import Face, face_of

Json = dict[str, Any]

SECURITY_SCHEMES: Json = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer <key>`"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "basic": {"type": "http", "scheme": "basic", "description": "the key as the password"},
}
_REFERENCE = "#/components/schemas/{model}"

# Which errors any call may meet, by what it does.
_ALWAYS = (400, 422, 500)
_BEFORE_ANY_FACE = (414, 431)  # refused while the head is read: a problem, whatever the path
_IF_GUARDED = (401, 403, 429, 503)
_IF_ONE_THING = (404,)
_IF_BODY = (408, 409, 413, 415)
_NEEDS_A_STATE = (
    *("/transcript", "/media", "/cancel", "/retry", "/complete"),
    *("/test", "/replay"),
)

_MEANINGS = {
    400: "what was sent cannot be read, or asks for what does not exist",
    401: "no key, or an unknown one",
    403: "without keys, this service serves its own machine only",
    404: "there is no such thing, or it is somebody else's",
    408: "the body came too slowly",
    409: "not in its present state",
    410: "it was deleted",
    412: "`If-Match` names another version",
    413: "too large",
    414: "the address is too long",
    415: "a content type that is not read here",
    422: "an option is unknown or out of its range",
    429: "too many requests, or too many jobs waiting; see Retry-After",
    431: "the head of the request is too large",
    500: "a fault of this service; its log says more",
    503: "a part of the service does not answer; see Retry-After",
}
_ERRORS: dict[Face, tuple[type[BaseModel], str]] = {
    Face.NATIVE: (Problem, "application/problem+json"),
    Face.DROP_IN: (DetailError, "application/json"),
    Face.OPENAI: (OpenAIError, "application/json"),
}
_HEADERS: Json = {
    "X-Request-ID": {
        "description": "the id of this request, as sent or made; it is in the log too",
        "schema": {"type": "string"},
    }
}
# One server-sent event; which there are, and what their data holds, is in docs/http-api.md.
_EVENT: Json = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "event": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "id": {"type": "string"},
        "retry": {"type": "integer"},
    },
}


def completed(document: Json) -> Json:
    """Return the document with everything that holds for all calls."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.pop("ValidationErrorModel", None)  # the library's own, which no answer has
    _, errors = models_json_schema(
        [(model, "validation") for model, _ in _ERRORS.values()], ref_template=_REFERENCE
    )
    schemas |= errors["$defs"]
    components["securitySchemes"] = SECURITY_SCHEMES
    for path, operation in _operations(document):
        _complete(operation, path, has_body="requestBody" in operation)
    return document


def _operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, item in document["paths"].items():
        for operation in item.values():
            yield path, operation


def _complete(operation: Json, path: str, *, has_body: bool) -> None:
    if not is_public(path):
        # Or none of them: a service without keys is open.
        operation["security"] = [*({name: []} for name in SECURITY_SCHEMES), {}]
    statuses = _errors_of(path, has_body=has_body)
    responses = operation["responses"]
    if 422 not in statuses:
        responses.pop("422", None)  # the library's own
    for status in sorted(statuses):
        found = responses.get(str(status))
        if found is None or "ValidationErrorModel" in str(found):
            responses[str(status)] = _error(status, face_of(path))
    for status in _BEFORE_ANY_FACE:
        responses[str(status)] = _error(status, Face.NATIVE)
    for response in responses.values():
        response["headers"] = _HEADERS | response.get("headers", {})
        if "text/event-stream" in response.get("content", {}):
            response["content"]["text/event-stream"] = {"schema": _EVENT}


def _error(status: int, face: Face) -> Json:
    model, media_type = _ERRORS[face]
    schema = {"$ref": _REFERENCE.format(model=model.__name__)}
    return {"description": _MEANINGS[status], "content": {media_type: {"schema": schema}}}


def _errors_of(path: str, *, has_body: bool) -> set[int]:
    statuses = set(_ALWAYS)
    for holds, more in (
        (not is_public(path), _IF_GUARDED),
        ("{" in path, _IF_ONE_THING),
        (has_body, _IF_BODY),
        ("{job_id}" in path, (410,)),
        (path.endswith(_NEEDS_A_STATE), (409,)),
        (path == "/v1/jobs" and has_body, (404, 410)),  # of `source.upload_id`; of the key's job
        ("{job_id}" in path and path.endswith(("}", "/media")), (412,)),  # `If-Match`
    ):
        statuses |= set(more if holds else ())
    # Clients of the other faces send 422 again; there it is a 400, and so is 415.
    return statuses if face_of(path) is Face.NATIVE else statuses - {415, 422}
