"""Show to its owner how webhooks arrived."""

from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from jobs.addresses import shown_url
from jobs.delivery import Delivery, DeliveryAttempt, DeliveryStatus
from jobs.webhook import EventType


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class DeliveryView(_View):
    """An event and an address."""

    id: str
    event_id: str = Field(description="sent as webhook-id; repetitions have the same")
    type: EventType
    status: DeliveryStatus
    endpoint_id: str | None = Field(description="null: the webhook of a job, of a batch or a test")
    job_id: str | None
    batch_id: str | None
    url: str = Field(description="without its query, where tokens are")
    attempts: int
    last_status: int | None = Field(description="of the latest answer; null: there was none")
    created_at: AwareDatetime
    next_attempt_at: AwareDatetime | None
    links: dict[str, str]

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Return how a delivery stands."""
        return cls.model_validate(_shown(delivery))


class DeliveryDetail(DeliveryView):
    """A delivery with what was sent, and each attempt."""

    body: str = Field(description="JSON, byte for byte as it is signed and sent")
    log: tuple[DeliveryAttempt, ...] = Field(description="the attempts, the first one first")

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Return all there is to know of a delivery."""
        return cls.model_validate(
            {**_shown(delivery), "body": delivery.body, "log": delivery.attempts}
        )


class DeliveryList(_View):
    """Some deliveries, newest first."""

    data: tuple[DeliveryView, ...]
    next_cursor: str | None = Field(description="the `cursor` of the next page")
    has_more: bool


def _shown(delivery: Delivery) -> dict[str, Any]:
    root = f"/v1/webhooks/deliveries/{delivery.id}"
    last = delivery.attempts[-1] if delivery.attempts else None
    return {
        **delivery.model_dump(
            include={
                *("id", "event_id", "type", "status", "endpoint_id", "job_id", "batch_id"),
                *("created_at", "next_attempt_at"),
            }
        ),
        "url": shown_url(delivery.url),
        "attempts": len(delivery.attempts),
        "last_status": last.status if last else None,
        "links": {"self": root},
    }
