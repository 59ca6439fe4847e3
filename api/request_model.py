"""Describe the parameters of a request, without paying for the description on every request."""

from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict


class RequestModel(BaseModel):
    """Parameters of a path or a query; an unknown one is refused.

    flask-openapi3 asks for a model's JSON schema at every request, to find lists in the query.
    Making it anew took half of the time of a `GET /v1/jobs/{id}`.
    """

    model_config = ConfigDict(extra="forbid")

    @classmethod  # type: ignore[override]  # the same call, its answer kept
    @cache
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        """Return the schema, made once for each class and way to ask."""
        return super().model_json_schema(*args, **options)
