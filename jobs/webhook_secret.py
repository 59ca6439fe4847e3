"""Hold what webhooks are signed with; after a rotation the old secret signs too, for a day."""

import base64
import secrets
from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
)

KEPT_AFTER_ROTATION = timedelta(hours=24)
_SECRET_BYTES = 32
_FEWEST_BYTES, _MOST_BYTES = 24, 64  # as Standard Webhooks has it
_PREFIX = "whsec_"


def new_secret() -> str:
    """Return a secret as Standard Webhooks writes it: whsec_ and base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _sound(text: str) -> str:
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not text.startswith(_PREFIX) or not _FEWEST_BYTES <= len(key) <= _MOST_BYTES:
        msg = f"a secret is {_PREFIX} and {_FEWEST_BYTES} to {_MOST_BYTES} random bytes in base64"
        raise ValueError(msg)
    return text


# One that a client brings, as the receiver has it already.
SecretText = Annotated[str, StringConstraints(max_length=100), AfterValidator(_sound)]


class WebhookSecret(BaseModel):
    """The secret of an owner or of an endpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    current: str = Field(default_factory=new_secret, repr=False)
    previous: str | None = Field(default=None, repr=False)
    previous_until: AwareDatetime | None = None

    def rotated(self, now: datetime) -> Self:
        """Return a new secret, beside which the one until now signs for KEPT_AFTER_ROTATION."""
        return self.model_copy(
            update={
                "current": new_secret(),
                "previous": self.current,
                "previous_until": now + KEPT_AFTER_ROTATION,
            }
        )

    def signing(self, now: datetime) -> tuple[str, ...]:
        """Return the secrets to sign with at this moment, the newest first."""
        if self.previous is None or self.previous_until is None or now >= self.previous_until:
            return (self.current,)
        return (self.current, self.previous)
