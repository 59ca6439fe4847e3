"""Show webhooks to their owner: never the query of an address, and secrets only when asked for."""

from datetime import datetime
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from jobs.addresses import shown_url
from jobs.endpoint import Endpoint, EndpointStatus
from jobs.webhook import EventType
from jobs.webhook_secret import WebhookSecret


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class SecretView(_View):
    """What to check signatures with."""

    secret: str = Field(description="`whsec_` and base64")
    previous_until: AwareDatetime | None = Field(
        description="until then, what comes is signed with the secret before it too"
    )

    @classmethod
    def of(cls, secret: WebhookSecret, now: datetime) -> Self:
        """Return what is signed with at this moment."""
        is_alone = len(secret.signing(now)) == 1
        return cls(
            secret=secret.current, previous_until=None if is_alone else secret.previous_until
        )


class EndpointView(_View):
    """An address that is told of all jobs of its owner."""

    id: str
    url: str = Field(description="without its query, where tokens are")
    events: tuple[EventType, ...]
    description: str
    status: EndpointStatus
    reason: str | None = Field(description="why it is paused or disabled")
    failing_since: AwareDatetime | None = Field(
        description="the first failure after the last success"
    )
    created_at: AwareDatetime
    links: dict[str, str]

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """Return what its owner sees of an endpoint at any time."""
        return cls.model_validate(_shown(endpoint))


class NewEndpointView(EndpointView):
    """A new endpoint, with what is not shown again."""

    secret: str = Field(description="what to check signatures with; keep it")

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """Return what its owner sees of an endpoint when it is made."""
        return cls.model_validate({**_shown(endpoint), "secret": endpoint.secret.current})


class EndpointList(_View):
    """All endpoints of an owner, the oldest first; there are too few for pages."""

    data: tuple[EndpointView, ...]
    next_cursor: None = None
    has_more: bool = False


def _shown(endpoint: Endpoint) -> dict[str, Any]:
    root = f"/v1/webhooks/{endpoint.id}"
    return {
        "id": endpoint.id,
        "url": shown_url(endpoint.url),
        "events": endpoint.events,
        "description": endpoint.description,
        "status": endpoint.status,
        "reason": endpoint.reason,
        "failing_since": endpoint.failing_since,
        "created_at": endpoint.created_at,
        "links": {"self": root, "deliveries": f"{root}/deliveries"},
    }
