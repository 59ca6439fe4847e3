"""`GET /v1/models`: every name that a client may give for a model, as OpenAI lists its own."""

from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Literal

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from api.answers import answer_json
from api.model_names import OPENAI_MODELS, resolved_model
from api.problems import problem
from api.request_model import RequestModel
from api.services import services
from api.settings import ApiSettings
from jobs.options import WHISPER_MODELS

_FIRST_SIZES = ("tiny", "base", "small", "medium")
# When weights were published. Sources: github.com/openai/whisper (model-card.md and the tags of its
# releases) and github.com/huggingface/distil-whisper (its README; issues of the day after for
# distil-large-v3). A model that is not here has no date that we could confirm.
_PUBLISHED = {
    date(2022, 9, 21): (*_FIRST_SIZES, *(f"{size}.en" for size in _FIRST_SIZES), "large-v1"),
    date(2022, 12, 5): ("large-v2",),
    date(2023, 11, 2): ("distil-medium.en", "distil-large-v2"),
    date(2023, 11, 6): ("large-v3", "large"),
    date(2024, 3, 21): ("distil-large-v3",),
    date(2024, 9, 30): ("large-v3-turbo", "turbo"),
}
_CREATED = {
    name: int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    for day, names in _PUBLISHED.items()
    for name in names
}

models = APIBlueprint("models", __name__, url_prefix="/v1/models", abp_tags=[Tag(name="openai")])


class ModelView(BaseModel):
    """A name for a model."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="when its weights were published, in Unix time; 0: unknown")
    owned_by: str = Field(description="who trained it; `local`: what this service's operator chose")


class ModelList(BaseModel):
    """All of them."""

    object: Literal["list"] = "list"
    data: tuple[ModelView, ...]


class ModelPath(RequestModel):
    """Which model; `whisper-large-v3` means `large-v3`."""

    model_id: str


@models.get("", summary="List the models", responses={200: ModelList})
def index() -> Response:
    """List every name that jobs, `/asr` and `/v1/audio` take; OpenAI's mean the operator's choice.

    A model that no job used before is fetched by the first one that does.
    """
    return answer_json(ModelList(data=listed(services().settings)))


@models.get("/<path:model_id>", summary="Look a model up", responses={200: ModelView})
def read(path: ModelPath) -> Response:
    """Say whether a name is known, and of what."""
    found = _model(path.model_id, services().settings)
    if found is not None:
        return answer_json(found)
    message = f"there is no model {path.model_id[:100]!r} here; GET /v1/models lists them"
    fault = ("/model", "model_not_found", message)
    return problem(HTTPStatus.NOT_FOUND, "model_not_found", message, faults=(fault,))


def listed(settings: ApiSettings) -> tuple[ModelView, ...]:
    """Return every name that a request may give for a model."""
    names = dict.fromkeys((*settings.models, *OPENAI_MODELS))
    shown = (_model(name, settings) for name in names)
    return tuple(model for model in shown if model is not None)


def _model(name: str, settings: ApiSettings) -> ModelView | None:
    """Return what is shown of a name; None where no job may use it."""
    model = resolved_model(name, settings)
    if model is not None and model not in settings.models:
        return None
    return ModelView(id=name, created=_CREATED.get(model or "", 0), owned_by=_maker(model))


def _maker(model: str | None) -> str:
    if model not in WHISPER_MODELS:
        return "local"
    return "distil-whisper" if model.startswith("distil-") else "openai"
