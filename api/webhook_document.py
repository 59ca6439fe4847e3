"""Describe, for the OpenAPI document, the calls that this service makes itself."""

from typing import Any

from jobs.webhook import EventType

Json = dict[str, Any]

_MEANINGS = {
    EventType.JOB_STARTED: "a worker has the job",
    EventType.JOB_PROGRESS: "the job got on; every few seconds at most",
    EventType.JOB_SUCCEEDED: "the transcript is there",
    EventType.JOB_FAILED: "the job failed; `error` says why",
    EventType.JOB_CANCELED: "the job was withdrawn",
    EventType.BATCH_COMPLETED: "all jobs of the batch are over",
    EventType.TEST: "a test that its owner asked for",
}
_HEADERS = {
    "webhook-id": "of the event; repetitions have the same",
    "webhook-timestamp": "when it was sent, in seconds since 1970",
    "webhook-signature": "`v1,` and the base64 of an HMAC-SHA256 over id, timestamp and body; "
    "two with a space between for a day after a rotation",
}
_DATA = "of a job: enough to know it and to fetch the rest, never the text that was said"


def webhooks() -> Json:
    """Return what goes under `webhooks` in OpenAPI 3.1: one entry for each event."""
    return {event.value: {"post": _operation(event)} for event in EventType}


def _operation(event: EventType) -> Json:
    return {
        "tags": ["webhooks"],
        "summary": f"Hear that {_MEANINGS[event]}",
        "description": "Signed by Standard Webhooks 1.0, over the body byte for byte.",
        "operationId": f"webhook_{event.value.replace('.', '_')}",
        "parameters": [_header(name, meaning) for name, meaning in _HEADERS.items()],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["type", "timestamp", "data"],
                        "properties": {
                            "type": {"const": event.value},
                            "timestamp": {"type": "string", "format": "date-time"},
                            "data": {"type": "object", "description": _DATA},
                        },
                    }
                }
            },
        },
        "responses": {
            "2XX": {"description": "it arrived; after anything else it comes again"},
            "410": {"description": "this endpoint is to be called no longer"},
        },
        "security": [],
    }


def _header(name: str, meaning: str) -> Json:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": meaning,
        "schema": {"type": "string"},
    }
