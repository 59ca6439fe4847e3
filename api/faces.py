"""Tell which of the three faces of the service a request meets: their errors differ in shape."""

from enum import StrEnum

from flask import request


class Face(StrEnum):
    """Whose manners a route has."""

    NATIVE = "native"  # RFC 9457 problems
    DROP_IN = "drop-in"  # {"detail": …}, as the replaced service
    OPENAI = "openai"  # {"error": {…}}


_DROP_IN = ("/asr", "/detect-language", "/queue-metrics")
_OPENAI = ("/v1/audio", "/v1/models")


def face() -> Face:
    """Return the face that this request meets."""
    return face_of(request.path)


def face_of(path: str) -> Face:
    """Return the face that a path belongs to; a slash at its end changes nothing."""
    path = path.rstrip("/")
    if path in _DROP_IN:
        return Face.DROP_IN
    if any(path == root or path.startswith(f"{root}/") for root in _OPENAI):
        return Face.OPENAI
    return Face.NATIVE
