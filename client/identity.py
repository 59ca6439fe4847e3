"""Give each piece of work an id that follows from what it is, so that it is never done twice."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

# What changes nothing of a transcript: where a job waits, and how it is found and kept.
_NEUTRAL = frozenset(
    {
        "priority",
        "external_id",
        "tags",
        "metadata",
        "retention_days",
        "media_retention_days",
        "webhook",
        "headers",
    }
)


def sha256_of(path: Path) -> str:
    """Return the digest of a file's bytes.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def options_digest(options: Mapping[str, Any]) -> str:
    """Return what two sets of options share that lead to the same transcript.

    Formats are none of them: a job is rendered into any, at any time.
    """
    chosen = {name: value for name, value in options.items() if name not in _NEUTRAL}
    return _digest([chosen])


def source_digest(source: Mapping[str, Any]) -> str:
    """Return what stands for media that is elsewhere, in place of the digest of its bytes."""
    return _digest([{name: value for name, value in source.items() if name not in _NEUTRAL}])


def client_id(content: str, options: str, *, purged: int = 0) -> str:
    """Return the id under which a job is made and found again.

    Args:
        content: digest of the bytes, or of the source.
        options: their digest.
        purged: how many jobs of this content and these options were deleted before.
    """
    suffix = f"-{purged + 1}" if purged else ""
    return f"cli-{_digest([content, options])}{suffix}"


def short_digest(text: str) -> str:
    """Return enough of a digest to tell names apart, 10 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:10]


def _digest(values: Iterable[object]) -> str:
    canonical = json.dumps(list(values), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
