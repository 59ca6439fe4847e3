"""Sign what is sent, as Standard Webhooks 1.0 asks for."""

from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook


def signed_headers(
    event_id: str, body: str, *, secrets: Sequence[str], now: datetime
) -> dict[str, str]:
    """Return the headers that let a receiver check who sent `body`, and when.

    Args:
        event_id: the same for every attempt, so that receivers can tell repetitions.
        body: as it is sent, to the byte.
        secrets: each signs; during a rotation there are two.
        now: of this attempt; receivers refuse what is older than some minutes.
    """
    signatures = [Webhook(secret).sign(event_id, now, body) for secret in secrets]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
        "Content-Type": "application/json",
    }
