"""Describe the three shapes of an error, for the OpenAPI document."""

from pydantic import BaseModel, Field


class ProblemFault(BaseModel):
    """What is wrong with one part of the request."""

    pointer: str = Field(description="where, as in RFC 6901")
    code: str
    detail: str


class Problem(BaseModel):
    """An error of the native API (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str = Field(description="what programs read")
    detail: str = Field(description="what happened and what to do, for people")
    instance: str | None = None
    request_id: str | None = None
    errors: list[ProblemFault] = Field(default=[], description="of a 422: each option at fault")
    job_status: str | None = Field(default=None, description="of a transcript that is not ready")


class DetailError(BaseModel):
    """An error of the drop-in routes."""

    detail: str


class OpenAIErrorBody(BaseModel):
    """What happened."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(BaseModel):
    """An error of the OpenAI audio API."""

    error: OpenAIErrorBody
