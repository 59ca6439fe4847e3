"""Hold an address that is told of everything an owner's jobs do."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

from jobs.webhook import USUAL_EVENTS, WebhookEvents, WebhookUrl
from jobs.webhook_secret import WebhookSecret

PAUSED_AFTER = timedelta(days=1)  # of failures without one success
TRIAL_EVERY = timedelta(hours=1)  # while it is paused


class EndpointStatus(StrEnum):
    """Whether an endpoint is called."""

    ACTIVE = "active"
    PAUSED = "paused"  # it failed for a day: one delivery an hour tries whether it is back
    DISABLED = "disabled"  # its owner said so, or it answered 410: nothing is sent, nothing waits


class Endpoint(BaseModel):
    """Where an owner wants to be told of all jobs. Change it by its methods."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str  # whk_…
    owner: str
    url: WebhookUrl
    events: WebhookEvents = USUAL_EVENTS
    description: Annotated[str, StringConstraints(max_length=200)] = ""
    secret: WebhookSecret
    created_at: AwareDatetime
    status: EndpointStatus = EndpointStatus.ACTIVE
    reason: str | None = None  # why it is paused or disabled, for its owner's eyes
    failing_since: AwareDatetime | None = None  # the first failure after the last success
    next_trial_at: AwareDatetime | None = None  # while paused

    def succeeded(self) -> Self:
        """Note that it answered well; a paused one is active again."""
        if self.status is EndpointStatus.DISABLED:
            return self
        return self.model_copy(
            update={
                "status": EndpointStatus.ACTIVE,
                "reason": None,
                "failing_since": None,
                "next_trial_at": None,
            }
        )

    def failed(self, now: datetime) -> Self:
        """Note that a delivery failed; after a day of nothing else it is paused."""
        since = self.failing_since or now
        if self.status is EndpointStatus.ACTIVE and now - since >= PAUSED_AFTER:
            return self.model_copy(
                update={
                    "status": EndpointStatus.PAUSED,
                    "reason": f"no delivery arrived since {since:%Y-%m-%d %H:%M} UTC; "
                    "one an hour is tried",
                    "next_trial_at": now + TRIAL_EVERY,
                }
            )
        return self.model_copy(update={"failing_since": since})

    def may_be_called(self, now: datetime) -> bool:
        """Whether a delivery may be tried: while it is paused, one an hour."""
        if self.status is EndpointStatus.PAUSED:
            return self.next_trial_at is None or now >= self.next_trial_at
        return self.status is EndpointStatus.ACTIVE

    def tried(self, now: datetime) -> Self:
        """Note that this hour's trial of a paused endpoint is under way."""
        return self.model_copy(update={"next_trial_at": now + TRIAL_EVERY})

    def moved(self, url: str) -> Self:
        """Call another address, which has not failed yet."""
        return self.model_copy(update={"url": url}).succeeded()

    def rotated(self, now: datetime) -> Self:
        """Sign with a new secret, and for a day with the old one too."""
        return self.model_copy(update={"secret": self.secret.rotated(now)})

    def disabled(self, reason: str) -> Self:
        """Call it no longer."""
        return self.model_copy(
            update={"status": EndpointStatus.DISABLED, "reason": reason, "next_trial_at": None}
        )

    def enabled(self) -> Self:
        """Call it again, as if it had never failed."""
        return self.model_copy(update={"status": EndpointStatus.ACTIVE}).succeeded()
