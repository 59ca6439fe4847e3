"""Make answers of models."""

import hashlib

from flask import Response
from pydantic import BaseModel


def answer_json(shown: BaseModel, *, status: int = 200, with_etag: bool = False) -> Response:
    """Return a model as JSON; with an ETag, clients may ask whether it changed."""
    answer = Response(
        shown.model_dump_json(warnings=False), status=status, mimetype="application/json"
    )
    if with_etag:
        answer.set_etag(etag_of(shown))
        answer.headers["Cache-Control"] = "private, no-cache"  # keep it, but ask first
    return answer


def etag_of(shown: BaseModel) -> str:
    """Return what is the same for two models exactly if they show the same."""
    return hashlib.sha256(shown.model_dump_json(warnings=False).encode()).hexdigest()[:32]
