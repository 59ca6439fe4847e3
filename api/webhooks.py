"""Let owners say where they want to be told of their jobs, and with which secret it is signed."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from flask import Response, request, url_for
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.access import owner
from api.answers import answer_json
from api.checked_addresses import check_webhook_url
from api.json_bodies import read_model
from api.request_bodies import json_body
from api.request_model import RequestModel
from api.services import services
from api.webhook_view import EndpointList, EndpointView, NewEndpointView, SecretView
from jobs.endpoint import Endpoint
from jobs.ids import new_id
from jobs.webhook import USUAL_EVENTS, WebhookEvents, WebhookUrl
from jobs.webhook_secret import SecretText, WebhookSecret, new_secret

ENDPOINT_ID = r"^whk_[0-9a-f]{32}$"
# In a route; of the length of an id, so that /v1/webhooks/secret and /test are no endpoints.
ENDPOINT = "<string(length=36):endpoint_id>"
TAG = Tag(name="webhooks")


def operation_id(*, bp_name: str, name: str, path: str, method: str) -> str:
    """Return how OpenAPI names a call; the library would spell out the route's converter."""
    return f"{bp_name}_{name}_{method.lower()}"


webhooks = APIBlueprint(
    "webhooks",
    __name__,
    url_prefix="/v1/webhooks",
    abp_tags=[TAG],
    operation_id_callback=operation_id,
)

Description = Annotated[str, StringConstraints(max_length=200)]


class EndpointPath(RequestModel):
    """Which endpoint."""

    endpoint_id: Annotated[str, StringConstraints(pattern=ENDPOINT_ID)]


class EndpointRequest(BaseModel):
    """A new endpoint."""

    model_config = ConfigDict(extra="forbid")

    url: WebhookUrl
    events: WebhookEvents = USUAL_EVENTS
    description: Description = ""
    secret: SecretText | None = Field(
        default=None, description="`whsec_` and base64 of 24 to 64 bytes; null: one is made"
    )


class EndpointChange(BaseModel):
    """What is to be another; what is null or absent stays as it is."""

    model_config = ConfigDict(extra="forbid")

    url: WebhookUrl | None = None
    events: WebhookEvents | None = None
    description: Description | None = None
    status: Literal["active", "disabled"] | None = None

    def made_to(self, endpoint: Endpoint) -> Endpoint:
        """Return the endpoint as it is asked for."""
        if self.url is not None:
            endpoint = endpoint.moved(self.url)
        if self.status is not None:
            is_wanted = self.status == "active"
            endpoint = endpoint.enabled() if is_wanted else endpoint.disabled("its owner said so")
        others = self.model_dump(include={"events", "description"}, exclude_none=True)
        return endpoint.model_copy(update=others)


def _body(model: type[BaseModel]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": json_body(model)}}


@webhooks.post(
    "",
    summary="Add an endpoint",
    responses={201: NewEndpointView},
    openapi_extensions=_body(EndpointRequest),
)
def create() -> Response:
    """Tell an address of all your jobs from now on; the answer has the secret, this once."""
    asked, now = read_model(request, EndpointRequest), datetime.now(UTC)
    check_webhook_url(asked.url, services().settings, pointer="/url")
    endpoint = Endpoint(
        id=new_id("whk", now),
        owner=owner(),
        url=asked.url,
        events=asked.events,
        description=asked.description,
        secret=WebhookSecret(current=asked.secret or new_secret()),
        created_at=now,
    )
    services().endpoints.add(endpoint)
    answer = _unstored(NewEndpointView.of(endpoint), status=HTTPStatus.CREATED)
    answer.headers["Location"] = url_for("webhooks.read", endpoint_id=endpoint.id)
    return answer


@webhooks.get("", summary="List endpoints", responses={200: EndpointList})
def listed() -> Response:
    """Answer all your endpoints, without their secrets."""
    found = services().endpoints.of(owner())
    return answer_json(EndpointList(data=tuple(EndpointView.of(each) for each in found)))


@webhooks.get(f"/{ENDPOINT}", summary="Look at an endpoint", responses={200: EndpointView})
def read(path: EndpointPath) -> Response:
    """Answer the endpoint, without its secret."""
    return answer_json(EndpointView.of(services().endpoints.get(owner(), path.endpoint_id)))


@webhooks.patch(
    f"/{ENDPOINT}",
    summary="Change an endpoint",
    responses={200: EndpointView},
    openapi_extensions=_body(EndpointChange),
)
def change(path: EndpointPath) -> Response:
    """Change address, events or description; disable the endpoint, or enable it again."""
    asked = read_model(request, EndpointChange)
    if asked.url is not None:
        check_webhook_url(asked.url, services().settings, pointer="/url")
    changed = services().endpoints.update(owner(), path.endpoint_id, asked.made_to)
    if asked.status == "active":  # while it was paused, deliveries were put off
        services().deliveries.hasten(changed.id)
    return answer_json(EndpointView.of(changed))


@webhooks.delete(f"/{ENDPOINT}", summary="Delete an endpoint", responses={204: None})
def delete(path: EndpointPath) -> tuple[str, int]:
    """Tell the address nothing any more; what is on its way to it is dropped."""
    services().endpoints.remove(owner(), path.endpoint_id)
    return "", HTTPStatus.NO_CONTENT


@webhooks.post(
    f"/{ENDPOINT}/rotate-secret", summary="Rotate its secret", responses={200: SecretView}
)
def rotate(path: EndpointPath) -> Response:
    """Give the endpoint a new secret; for 24 hours the old one signs too."""
    now = datetime.now(UTC)
    changed = services().endpoints.update(
        owner(), path.endpoint_id, lambda endpoint: endpoint.rotated(now)
    )
    return _unstored(SecretView.of(changed.secret, now))


@webhooks.get("/secret", summary="Read your own secret", responses={200: SecretView})
def read_own() -> Response:
    """Answer what the webhooks of your jobs and batches, and tests, are signed with."""
    return _unstored(SecretView.of(services().owner_secrets.of(owner()), datetime.now(UTC)))


@webhooks.post("/rotate-secret", summary="Rotate your own secret", responses={200: SecretView})
def rotate_own() -> Response:
    """Make a new secret for webhooks of jobs and batches; for 24 hours the old one signs too."""
    return _unstored(SecretView.of(services().owner_secrets.rotate(owner()), datetime.now(UTC)))


def _unstored(shown: BaseModel, *, status: int = HTTPStatus.OK) -> Response:
    answer = answer_json(shown, status=status)
    answer.headers["Cache-Control"] = "no-store"  # there is a secret in it
    return answer
