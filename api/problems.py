"""Answer every error in the shape of the route that was called."""

import logging
from http import HTTPStatus

from flask import Flask, Response, g, jsonify, make_response, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from api.faces import Face, face
from api.waiting import ClientGone
from jobs import request_errors
from jobs.errors import RequestError, ServiceError, Unavailable
from jobs.request_errors import InvalidOptions, RateExceeded

STATUS_OF: dict[type[ServiceError], HTTPStatus] = {
    request_errors.MalformedRequest: HTTPStatus.BAD_REQUEST,
    request_errors.EmptyMedia: HTTPStatus.BAD_REQUEST,
    request_errors.UnknownFormat: HTTPStatus.BAD_REQUEST,
    request_errors.UnknownModel: HTTPStatus.BAD_REQUEST,
    request_errors.NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    request_errors.NotAllowed: HTTPStatus.FORBIDDEN,
    request_errors.JobNotFound: HTTPStatus.NOT_FOUND,
    request_errors.BatchNotFound: HTTPStatus.NOT_FOUND,
    request_errors.UploadNotFound: HTTPStatus.NOT_FOUND,
    request_errors.EndpointNotFound: HTTPStatus.NOT_FOUND,
    request_errors.DeliveryNotFound: HTTPStatus.NOT_FOUND,
    request_errors.UploadStalled: HTTPStatus.REQUEST_TIMEOUT,
    request_errors.IllegalMove: HTTPStatus.CONFLICT,
    request_errors.TranscriptNotReady: HTTPStatus.CONFLICT,
    request_errors.SubmissionInProgress: HTTPStatus.CONFLICT,
    request_errors.UploadIncomplete: HTTPStatus.CONFLICT,
    request_errors.UploadUsed: HTTPStatus.CONFLICT,
    request_errors.MediaNotKept: HTTPStatus.CONFLICT,
    request_errors.EndpointDisabled: HTTPStatus.CONFLICT,
    # Not 429, which clients send again by themselves: only a deletion makes room.
    request_errors.TooManyEndpoints: HTTPStatus.CONFLICT,
    request_errors.JobPurged: HTTPStatus.GONE,
    request_errors.BatchPurged: HTTPStatus.GONE,
    request_errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    request_errors.UnsupportedRequest: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    request_errors.InvalidOptions: HTTPStatus.UNPROCESSABLE_ENTITY,
    request_errors.InvalidSource: HTTPStatus.UNPROCESSABLE_ENTITY,
    request_errors.SourceBlocked: HTTPStatus.UNPROCESSABLE_ENTITY,
    request_errors.WebhookBlocked: HTTPStatus.UNPROCESSABLE_ENTITY,
    request_errors.IdempotencyMismatch: HTTPStatus.UNPROCESSABLE_ENTITY,
    request_errors.RateExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    request_errors.QueueFull: HTTPStatus.TOO_MANY_REQUESTS,
    request_errors.TooManyUploads: HTTPStatus.TOO_MANY_REQUESTS,
    request_errors.TooManyWaiting: HTTPStatus.SERVICE_UNAVAILABLE,
}
RETRY_AFTER_SECONDS = 5
_CLIENT_CLOSED_REQUEST = 499  # as nginx calls it
# What OpenAI's clients call an error, by status; anything else is a fault of the request.
_OPENAI_TYPES = {429: "rate_limit_error", 401: "authentication_error", 403: "permission_error"}

# Where pydantic's words speak of models rather than of requests.
_PLAINLY = {"extra_forbidden": "there is no such option"}

log = logging.getLogger(__name__)

Faults = tuple[tuple[str, str, str], ...]  # (pointer, code, detail) of each


def status_of(error: ServiceError) -> HTTPStatus:
    """Return the HTTP status that an error means."""
    if isinstance(error, Unavailable):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return STATUS_OF.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)


def problem(status: int, code: str, detail: str, *, faults: Faults = ()) -> Response:
    """Return an error answer in the shape of the route that was called."""
    shape = face()
    if shape is not Face.NATIVE and status in (422, 415):
        # Clients of the replaced service send 422 again; what is wrong stays wrong.
        status = HTTPStatus.BAD_REQUEST
    if shape is Face.NATIVE:
        answer = jsonify(_problem_json(status, code, detail, faults))
        answer.content_type = "application/problem+json"
    else:
        answer = jsonify(error_json(shape, status, code, detail, faults=faults))
    answer.status_code = status
    if status in (429, 503) or code == request_errors.SubmissionInProgress.code:
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="whisperline"'
    return answer


def error_json(
    shape: Face, status: int, code: str, detail: str, *, faults: Faults = ()
) -> dict[str, object]:
    """Return the body of an error on a face whose errors are plain JSON."""
    if shape is Face.OPENAI:
        return {"error": openai_error(status, code, detail, faults=faults)}
    return {"detail": detail}


def openai_error(status: int, code: str, detail: str, *, faults: Faults = ()) -> dict[str, object]:
    """Return what stands under `error` in an answer to OpenAI's clients."""
    kind = "server_error" if status >= 500 else _OPENAI_TYPES.get(status, "invalid_request_error")
    param = faults[0][0].strip("/").partition("/")[0] or None if faults else None
    return {"message": detail, "type": kind, "param": param, "code": code}


def _problem_json(status: int, code: str, detail: str, faults: Faults) -> dict[str, object]:
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "code": code,
        "detail": detail,
        "instance": request.path,
        "request_id": g.get("request_id"),
    }
    if faults:
        names = ("pointer", "code", "detail")
        body["errors"] = [dict(zip(names, fault, strict=True)) for fault in faults]
    return body


def validation_problem(error: ValidationError) -> Response:
    """Answer a request whose path, query or body a model refuses."""
    faults = faults_of(error)
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", sentence(faults), faults=faults
    )


def faults_of(error: ValidationError) -> Faults:
    """Return (pointer, code, detail) of everything that a pydantic model refused."""
    return tuple(
        (
            "".join(f"/{_escaped(str(part))}" for part in fault["loc"]),
            fault["type"],
            _PLAINLY.get(fault["type"]) or fault["msg"].removeprefix("Value error, "),
        )
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    )


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")  # RFC 6901


def sentence(faults: Faults) -> str:
    """Return one line that says what is wrong with which option."""
    return "; ".join(
        f"{pointer.lstrip('/')}: {detail}" if pointer else detail for pointer, _, detail in faults
    )


def register(app: Flask) -> None:
    """Make the app answer its errors this way."""
    app.register_error_handler(ServiceError, _ours)
    app.register_error_handler(HTTPException, _werkzeugs)
    app.register_error_handler(ClientGone, _gone)
    app.register_error_handler(Exception, _bug)


def _ours(error: ServiceError) -> Response:
    if not isinstance(error, RequestError):
        # One line: while a dependency is away, every request comes by here.
        log.warning("%s: %s (%r)", error.code, error, error.__cause__)
    faults = error.problems if isinstance(error, InvalidOptions) else ()
    answer = problem(status_of(error), error.code, error.message, faults=faults)
    if isinstance(error, RateExceeded):
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
        g.requests_left, g.rate_reset_seconds = 0, error.retry_after_seconds
    return answer


def _werkzeugs(error: HTTPException) -> Response:
    if error.response is not None:
        return make_response(error.response)  # made by `validation_problem`
    status = HTTPStatus(error.code or 500)
    answer = problem(status, status.name.lower(), error.description or status.description)
    for name, value in error.get_headers():
        if name in ("Allow", "Content-Range"):
            answer.headers[name] = value
    return answer


def _gone(error: ClientGone) -> Response:
    return Response(status=_CLIENT_CLOSED_REQUEST)  # nobody reads it; for the access log


def _bug(error: Exception) -> Response:
    log.error("unhandled", exc_info=error)
    return problem(500, "internal", "a fault of this service; its log says more")
