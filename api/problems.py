"""Answer every error in one shape: RFC 9457 problems, or `{"detail": …}` on the drop-in routes."""

import logging
from http import HTTPStatus

from flask import Flask, Response, jsonify, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from jobs.errors import (
    EmptyMedia,
    IllegalMove,
    InvalidOptions,
    JobNotFound,
    JobPurged,
    MalformedRequest,
    RequestError,
    ServiceError,
    TooLarge,
    TranscriptNotReady,
    Unavailable,
    UnknownFormat,
    UnknownModel,
    UnsupportedRequest,
)

STATUS_OF: dict[type[ServiceError], HTTPStatus] = {
    MalformedRequest: HTTPStatus.BAD_REQUEST,
    EmptyMedia: HTTPStatus.BAD_REQUEST,
    UnknownFormat: HTTPStatus.BAD_REQUEST,
    UnknownModel: HTTPStatus.BAD_REQUEST,
    JobNotFound: HTTPStatus.NOT_FOUND,
    IllegalMove: HTTPStatus.CONFLICT,
    TranscriptNotReady: HTTPStatus.CONFLICT,
    JobPurged: HTTPStatus.GONE,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedRequest: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    InvalidOptions: HTTPStatus.UNPROCESSABLE_ENTITY,
}
RETRY_AFTER_SECONDS = 5

log = logging.getLogger(__name__)


def status_of(error: ServiceError) -> HTTPStatus:
    """Return the HTTP status that an error means."""
    if isinstance(error, Unavailable):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return STATUS_OF.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)


def problem(
    status: int, code: str, detail: str, *, problems: tuple[tuple[str, str, str], ...] = ()
) -> Response:
    """Return an error answer in the shape of the route that was called."""
    if _is_drop_in():
        # Clients of the replaced service send 422 and 5xx again; what is wrong stays wrong.
        answer = jsonify({"detail": detail})
        answer.status_code = 400 if status in (HTTPStatus.UNPROCESSABLE_ENTITY, 415) else status
    else:
        body: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": int(status),
            "code": code,
            "detail": detail,
            "instance": request.path,
        }
        if problems:
            names = ("pointer", "code", "detail")
            body["errors"] = [dict(zip(names, fault, strict=True)) for fault in problems]
        answer = jsonify(body)
        answer.status_code = status
        answer.content_type = "application/problem+json"
    if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
        # The body may not have been read to its end; what is left must not be the next request.
        answer.headers["Connection"] = "close"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def validation_problem(error: ValidationError) -> Response:
    """Answer a path or query that its model refuses."""
    faults = faults_of(error)
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", sentence(faults), problems=faults
    )


def faults_of(error: ValidationError) -> tuple[tuple[str, str, str], ...]:
    """Return (pointer, code, detail) of everything that a pydantic model refused."""
    return tuple(
        (
            "/" + "/".join(str(part) for part in fault["loc"]),
            fault["type"],
            fault["msg"].removeprefix("Value error, "),
        )
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    )


def sentence(faults: tuple[tuple[str, str, str], ...]) -> str:
    """Return one line that says what is wrong with which option."""
    return "; ".join(
        f"{pointer.lstrip('/')}: {detail}" if pointer != "/" else detail
        for pointer, _, detail in faults
    )


def register(app: Flask) -> None:
    """Make the app answer its errors this way."""

    @app.errorhandler(ServiceError)
    def ours(error: ServiceError) -> Response:
        status = status_of(error)
        if not isinstance(error, RequestError):
            # One line: while a dependency is away, every request comes by here.
            log.warning("%s: %s (%r)", error.code, error, error.__cause__)
        faults = error.problems if isinstance(error, InvalidOptions) else ()
        return problem(status, error.code, error.message, problems=faults)

    @app.errorhandler(HTTPException)
    def werkzeugs(error: HTTPException) -> Response:
        if error.response is not None:
            return app.make_response(error.response)  # made by `validation_problem`
        status = HTTPStatus(error.code or 500)
        answer = problem(status, status.name.lower(), error.description or status.description)
        if (allowed := dict(error.get_headers()).get("Allow")) is not None:
            answer.headers["Allow"] = allowed
        return answer

    @app.errorhandler(Exception)
    def bug(error: Exception) -> Response:
        log.error("unhandled", exc_info=error)
        return problem(500, "internal", "a fault of this service; its log says more")


def _is_drop_in() -> bool:
    return request.path in ("/asr", "/detect-language")
