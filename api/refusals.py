"""Answer what never becomes a request: heads that are broken or too large, bodies that stall."""

import json
import socket
from dataclasses import dataclass
from http import HTTPStatus

from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)

from jobs.request_errors import UploadStalled


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a client is told. Nothing of what it sent is in it: that may hold its key."""

    status: HTTPStatus
    code: str
    detail: str

    def send(self, client: socket.socket) -> None:
        """Write the whole answer; the connection is of no use afterwards."""
        body = json.dumps(
            {
                "type": "about:blank",
                "title": self.status.phrase,
                "status": int(self.status),
                "code": self.code,
                "detail": self.detail,
            }
        ).encode()
        head = (
            f"HTTP/1.1 {self.status:d} {self.status.phrase}\r\n"
            "Connection: close\r\n"
            "Content-Type: application/problem+json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        client.sendall(head.encode("ascii") + body)


_BUG = Refusal(
    status=HTTPStatus.INTERNAL_SERVER_ERROR,
    code="internal",
    detail="a fault of this service; its log says more",
)
# The first class that fits counts.
_REFUSALS: dict[type[Exception], Refusal] = {
    LimitRequestLine: Refusal(
        status=HTTPStatus.REQUEST_URI_TOO_LONG,
        code="uri_too_long",
        detail="the first line of the request is too long; send options in the body",
    ),
    LimitRequestHeaders: Refusal(
        status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        code="headers_too_large",
        detail="the headers are too many or too large",
    ),
    ExpectationFailed: Refusal(
        status=HTTPStatus.EXPECTATION_FAILED,
        code="expectation_failed",
        detail="the only expectation that is met is 100-continue",
    ),
    UnsupportedTransferCoding: Refusal(
        status=HTTPStatus.NOT_IMPLEMENTED,
        code="unsupported_transfer_coding",
        detail="the only transfer coding that is read is chunked",
    ),
    # What the app answered, not what the client asked.
    InvalidResponseHeader: _BUG,
    InvalidResponseHeaderName: _BUG,
    ParseException: Refusal(
        status=HTTPStatus.BAD_REQUEST,
        code="malformed_request",
        detail="this is no valid HTTP/1.1 request",
    ),
}


def refusal_of(error: Exception) -> Refusal:
    """Return what a client is told of an error that no view met."""
    if isinstance(error, UploadStalled):
        return Refusal(status=HTTPStatus.REQUEST_TIMEOUT, code=error.code, detail=error.message)
    return next((told for kind, told in _REFUSALS.items() if isinstance(error, kind)), _BUG)
