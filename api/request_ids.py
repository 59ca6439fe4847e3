"""Give every request an id that its answer, its errors and the log share."""

import logging
import re
import secrets

from flask import Flask, Response, g, has_request_context, request

_SOUND = re.compile(r"[A-Za-z0-9._-]{1,64}")  # anything else could write into the log


def register(app: Flask) -> None:
    """Make the app take `X-Request-ID` or make one, and send it back."""

    @app.before_request
    def begin() -> None:
        sent = request.headers.get("X-Request-ID", "")
        g.request_id = sent if _SOUND.fullmatch(sent) else secrets.token_hex(8)

    @app.after_request
    def echo(answer: Response) -> Response:
        answer.headers["X-Request-ID"] = g.get("request_id", "")
        return answer


class RequestIds(logging.Filter):
    """Puts the request's id into each line that is logged while it is served."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line pass."""
        if has_request_context() and "request_id" in g:
            record.request_id = g.request_id
        return True
