"""Hold what a client wants to be told of, and where (Standard Webhooks 1.0)."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


class EventType(StrEnum):
    """What can happen that somebody may want to hear of."""

    JOB_STARTED = "job.started"  # a worker has it, for the first time since it was queued
    JOB_PROGRESS = "job.progress"  # at most every PROGRESS_SECONDS
    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_CANCELED = "job.canceled"
    BATCH_COMPLETED = "batch.completed"  # all its jobs are over
    TEST = "webhook.test"  # asked for by the owner, to see whether it arrives


PROGRESS_SECONDS = 5.0  # between two `job.progress` of one job

# What everybody wants to hear; progress has to be asked for.
USUAL_EVENTS = (
    EventType.JOB_SUCCEEDED,
    EventType.JOB_FAILED,
    EventType.JOB_CANCELED,
    EventType.BATCH_COMPLETED,
)

WebhookUrl = Annotated[str, StringConstraints(min_length=8, max_length=2048)]


def _each_once(events: tuple[EventType, ...]) -> tuple[EventType, ...]:
    return tuple(dict.fromkeys(events))


WebhookEvents = Annotated[
    tuple[EventType, ...],
    Field(min_length=1, max_length=len(EventType)),
    AfterValidator(_each_once),
]


class Webhook(BaseModel):
    """An address that is told of one job, or of one batch and its jobs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: WebhookUrl
    events: WebhookEvents = USUAL_EVENTS
