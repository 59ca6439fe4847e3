"""Tell how old objects are by the clock of storage itself; ours may be another one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any


def time_of(answer: Mapping[str, Any]) -> datetime:
    """Return when storage gave an answer; by our clock, if it does not say."""
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date) if date else datetime.now(UTC)


def age_of(answer: Mapping[str, Any]) -> float:
    """Return for how many seconds the object of an answer had been there as it was given."""
    return float((time_of(answer) - answer["LastModified"]).total_seconds())
