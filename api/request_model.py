"""Describe the parameters of a request, without paying for the description on every request."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class RequestModel(BaseModel):
    """Parameters of a path or a query; an unknown one is refused.

    flask-openapi3 asks for a model's JSON schema at every request, to find lists in the query.
    Making it anew took half of the time of a `GET /v1/jobs/{id}`.
    """

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        """Return the schema, made once for each way to ask."""
        asked = (cls, args, tuple(options.items()))
        if asked not in _SCHEMAS:
            _SCHEMAS[asked] = super().model_json_schema(*args, **options)
        return _SCHEMAS[asked]


_SCHEMAS: dict[tuple[object, ...], dict[str, Any]] = {}  # as many as there are models, twice
