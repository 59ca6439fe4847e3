"""Say until when a job that is over is kept, and until when its media."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# The media of a job that did not succeed is kept so long at least: a retry needs it.
RETRYABLE_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long a job is kept after its end.

    Args:
        days: all of it; None: until it is deleted.
        media_days: its media; 0: not at all, None: as long as the job.
    """

    days: float | None
    media_days: float | None

    def until(self, finished_at: datetime) -> datetime | None:
        """Return when the job is purged; None: not by itself."""
        return finished_at + timedelta(days=self.days) if self.days else None

    def media_until(self, finished_at: datetime, *, is_retryable: bool) -> datetime | None:
        """Return when the media is deleted, never after the job; None: with the job.

        Args:
            finished_at: when the job ended.
            is_retryable: whether its owner may have it run again.
        """
        if self.media_days is None:
            return None
        days = max(self.media_days, RETRYABLE_DAYS) if is_retryable else self.media_days
        at, last = finished_at + timedelta(days=days), self.until(finished_at)
        return at if last is None else min(at, last)
