"""Show a job to its owner."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from jobs.addresses import shown_url
from jobs.attempt import Failure, Setback, SetbackCode, StageSeconds
from jobs.delivery import Delivery, DeliveryStatus
from jobs.job import Job
from jobs.media import Media
from jobs.options import JobOptions
from jobs.source import S3Source, UrlSource
from jobs.stages import Stage
from jobs.status import JobStatus
from jobs.webhook import EventType, Webhook
from transcript.transcript import TranscriptWarning


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class SourceView(_View):
    """Where the media came from; of an address neither its query nor its headers."""

    type: Literal["url", "s3", "upload"]
    url: str | None = None
    s3_uri: str | None = None
    upload_id: str | None = None


class JobUsage(_View):
    """What a job that is over cost."""

    audio_seconds: float | None  # None: it ended before its media was decoded
    processing_seconds: float | None  # of the latest attempt; None: no worker had it
    # Seconds of work for one of sound; under 1 is faster than listening.
    realtime_factor: float | None


class SetbackView(_View):
    """An attempt that came to nothing."""

    code: SetbackCode
    attempt: int
    at: AwareDatetime
    stage: Stage | None
    message: str | None

    @classmethod
    def of(cls, setback: Setback) -> "SetbackView":
        """Return a setback without the name of the machine."""
        return cls(**setback.model_dump(exclude={"worker"}))


class LastDelivery(_View):
    """The latest of what the job's own webhook was sent; `GET …/deliveries` has all of them."""

    id: str
    status: DeliveryStatus
    attempts: int
    last_status: int | None = Field(description="of the latest answer; null: there was none")

    @classmethod
    def of(cls, delivery: Delivery) -> "LastDelivery":
        """Return how a delivery went."""
        last = delivery.attempts[-1] if delivery.attempts else None
        return cls(
            id=delivery.id,
            status=delivery.status,
            attempts=len(delivery.attempts),
            last_status=last.status if last else None,
        )


class JobWebhook(_View):
    """Who is told of the job."""

    url: str = Field(description="without its query, where tokens are")
    events: tuple[EventType, ...]
    last_delivery: LastDelivery | None = Field(description="null in lists and events")


class JobView(_View):
    """Everything of a job but its owner and its lease."""

    id: str
    client_id: str | None
    batch_id: str | None
    status: JobStatus
    stage: Stage | None = Field(description="what it is doing, while it runs")
    progress: float = Field(ge=0, le=1)
    queue_position: int | None = Field(description="how many jobs of its queue go first")
    attempt: int
    setbacks: tuple[SetbackView, ...] = Field(description="attempts that came to nothing, if any")
    options: JobOptions
    media: Media
    source: SourceView | None = Field(description="null: the media came with the request")
    language: str | None
    language_confidence: float | None
    warnings: tuple[TranscriptWarning, ...]
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    expires_at: AwareDatetime | None = Field(description="when it is purged; null: never by itself")
    media_expires_at: AwareDatetime | None = Field(
        description="when its media is deleted before; null: with the job, or it is gone by now"
    )
    stages: tuple[StageSeconds, ...]
    usage: JobUsage | None
    webhook: JobWebhook | None = Field(description="the job's own; endpoints are told besides")
    error: Failure | None
    links: dict[str, str]

    @classmethod
    def of(
        cls,
        job: Job,
        *,
        queue_position: int | None = None,
        last_delivery: Delivery | None = None,
    ) -> "JobView":
        """Return what clients see of a job."""
        shared = {name: getattr(job, name) for name in cls.model_fields.keys() & _JOB_FIELDS}
        return cls.model_construct(
            **shared,
            queue_position=queue_position,
            setbacks=tuple(map(SetbackView.of, job.setbacks)),
            options=_options(job.options),
            source=_source(job),
            usage=_usage(job),
            webhook=_webhook(job.options.webhook, last_delivery),
            error=job.failure,
            links=_links(job),
        )


_JOB_FIELDS = Job.model_fields.keys() - {"options", "setbacks", "source"}


class JobPage(_View):
    """Some jobs, newest first."""

    data: tuple[JobView, ...]
    next_cursor: str | None = Field(description="the `cursor` of the next page")
    has_more: bool


def _options(options: JobOptions) -> JobOptions:
    """Return options without what opens the webhook's door."""
    if options.webhook is None:
        return options
    shown = options.webhook.model_copy(update={"url": shown_url(options.webhook.url)})
    return options.model_copy(update={"webhook": shown})


def _webhook(webhook: Webhook | None, last: Delivery | None) -> JobWebhook | None:
    if webhook is None:
        return None
    return JobWebhook(
        url=shown_url(webhook.url),
        events=webhook.events,
        last_delivery=LastDelivery.of(last) if last else None,
    )


def _source(job: Job) -> SourceView | None:
    source = job.source
    if source is None:
        return None
    if isinstance(source, UrlSource):
        return SourceView(type="url", url=shown_url(source.url))
    if isinstance(source, S3Source):
        return SourceView(type="s3", s3_uri=source.s3_uri)
    return SourceView(type="upload", upload_id=source.upload_id)


def _usage(job: Job) -> JobUsage | None:
    if not job.status.is_final:
        return None
    heard, spent = job.media.seconds, job.processing_seconds
    return JobUsage(
        audio_seconds=None if heard is None else round(heard, 3),
        processing_seconds=None if spent is None else round(spent, 3),
        realtime_factor=round(spent / heard, 4) if heard and spent is not None else None,
    )


def _links(job: Job) -> dict[str, str]:
    root = f"/v1/jobs/{job.id}"
    links = {"self": root, "events": f"{root}/events"}
    if job.is_media_kept:
        links["media"] = f"{root}/media"
    if job.status is JobStatus.SUCCEEDED:
        links["transcript"] = f"{root}/transcript"
    return links
