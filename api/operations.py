"""Answer what waits, who works, and what an owner used."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal, Self

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from api.access import owner
from api.answers import answer_json
from api.request_model import RequestModel
from api.services import services
from jobs.figures import Backlog, DayOfUse
from jobs.options import Priority
from jobs.stage_call import StageRole
from jobs.workers import Gpu, WorkerStatus, unserved_stages

MOST_DAYS = 366  # in one answer
USUAL_DAYS = 30

operations = APIBlueprint(
    "operations", __name__, url_prefix="/v1", abp_tags=[Tag(name="operations")]
)


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class QueueView(_View):
    """One queue; what is estimated counts the more urgent queues too, as they go first."""

    name: Priority
    depth: int = Field(description="jobs that wait")
    oldest_age_seconds: float | None = Field(description="null: the queue is empty")
    media_bytes: int = Field(description="of the jobs whose media was received")
    audio_seconds_ahead: float | None = Field(
        description="sound before a job that comes now, by what earlier bytes held; null: unknown"
    )
    eta_seconds: float | None = Field(
        description="until all that is done; null: unknown, or no worker is alive"
    )


class WebhooksView(_View):
    """How webhooks arrive, those of all owners, since the beginning."""

    pending: int = Field(description="deliveries that are still to arrive")
    delivered: int
    failed: int = Field(description="given up after all attempts, or answered with 410")
    dropped: int = Field(description="their endpoint was disabled, deleted or too far behind")
    attempts: int
    failed_attempts: int
    mean_seconds: float | None = Field(description="of an attempt; null: there was none")


class QueuesView(_View):
    """What waits, the most urgent queue first."""

    queues: tuple[QueueView, ...]
    running: int = Field(description="jobs that workers hold")
    workers: int = Field(description="that are alive")
    failed_workers: int = Field(description="that their launcher does not start again")
    slots: int = Field(description="jobs that they do at once")
    webhooks: WebhooksView


class WorkerView(_View):
    """A worker that was heard of in the last half minute."""

    name: str
    device: Literal["cpu", "cuda"]
    gpu: Gpu | None
    compute_type: str
    state: Literal["idle", "busy"]
    running: int = Field(description="jobs that it works on, whoever's")
    slots: int = Field(description="jobs that it does at once")
    jobs: tuple[str, ...] = Field(description="those of them that are yours")
    loaded_models: tuple[str, ...]
    rss_bytes: int | None = Field(description="memory of its process, without the GPU's")
    started_at: AwareDatetime
    stage: StageRole | None = Field(description="all that it does of jobs; null: the whole of them")


class NotRunningView(_View):
    """A place where no process takes jobs, as its launcher said in the last half minute."""

    name: str = Field(description="of the worker that should be there")
    state: Literal["starting", "restarting", "failed"] = Field(
        description="`starting`: it loads its models. `restarting`: it died, and is started again "
        "after a pause. `failed`: it is given up until its launcher is restarted"
    )
    since: AwareDatetime
    deaths: int = Field(description="in a row")
    reason: str | None = Field(description="how the last process ended; null: none did yet")
    gpu: Gpu | None = Field(description="null: the CPU, or a card that answers no more")
    stage: StageRole | None = Field(description="all that it would do of jobs; null: the whole")


class WorkersView(_View):
    """All living workers, by name, and those that should live and do not."""

    data: tuple[WorkerView, ...]
    not_running: tuple[NotRunningView, ...]
    unserved_stages: tuple[StageRole, ...] = Field(
        description="that workers have done by others, though no worker does them: jobs wait for "
        "them for two minutes, and then go without"
    )


class UseView(_View):
    """What jobs that ended came to; one that was retried is counted at each end."""

    succeeded: int
    failed: int
    canceled: int
    media_bytes: int
    audio_seconds: float
    processing_seconds: float


class DayView(UseView):
    """What ended on one UTC day."""

    date: date


class UsageView(_View):
    """What an owner used, by day and in all."""

    days: tuple[DayView, ...]
    total: UseView


def _written_as_date(value: object) -> object:
    # pydantic would take 20261122 for seconds since 1970.
    if isinstance(value, str) and not (len(value) == 10 and value[4] == value[7] == "-"):
        msg = "a date is written 2026-11-22"
        raise ValueError(msg)
    return value


_Day = Annotated[date, BeforeValidator(_written_as_date)]


class UsageQuery(RequestModel):
    """Which days; both are counted, and without them it is the last 30."""

    first: _Day | None = Field(default=None, alias="from")
    last: _Day | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        days = (self.end - self.begin).days + 1
        if not 1 <= days <= MOST_DAYS:
            msg = f"`from` is not after `to`, and they hold at most {MOST_DAYS} days"
            raise ValueError(msg)
        return self

    @property
    def end(self) -> date:
        """The last day."""
        return self.last or datetime.now(UTC).date()

    @property
    def begin(self) -> date:
        """The first day."""
        return self.first or date.fromordinal(max(1, self.end.toordinal() - USUAL_DAYS + 1))


@operations.get("/queue", summary="What waits", responses={200: QueuesView})
def queue() -> Response:
    """Answer the depth and age of each queue, and when it may be empty."""
    found = services()
    workers = found.workers.alive()
    slots = sum(worker.slots for worker in workers)
    backlog = found.figures.backlog()
    return answer_json(
        QueuesView(
            queues=_queues(backlog, slots),
            running=backlog.running,
            workers=sum(1 for worker in workers if worker.slots),
            failed_workers=sum(1 for one in found.workers.not_running() if one.state == "failed"),
            slots=slots,
            webhooks=_webhooks(found.deliveries.counts()),
        )
    )


@operations.get("/workers", summary="Who works", responses={200: WorkersView})
def workers() -> Response:
    """Answer each worker's device, memory, models and jobs."""
    alive = services().workers.alive()
    running = [job_id for worker in alive for job_id in worker.jobs]
    own = {job.id for job in services().store.get_many(running) if job.owner == owner()}
    return answer_json(
        WorkersView(
            data=tuple(_worker(worker, own) for worker in alive),
            not_running=tuple(
                NotRunningView.model_validate(one.model_dump())
                for one in services().workers.not_running()
            ),
            unserved_stages=unserved_stages(alive),
        )
    )


@operations.get("/usage", summary="What you used", responses={200: UsageView})
def usage(query: UsageQuery) -> Response:
    """Answer how many of your jobs ended on each UTC day, how long they are and took."""
    count = (query.end - query.begin).days + 1
    days = [query.begin + timedelta(days=number) for number in range(count)]
    used = services().figures.usage(owner(), days)
    return answer_json(UsageView(days=tuple(_day(day) for day in used), total=_total(used)))


def _queues(backlog: Backlog, slots: int) -> tuple[QueueView, ...]:
    views: list[QueueView] = []
    audio: float | None = 0.0
    work: float | None = 0.0
    for figures in backlog.queues:
        audio = _sum(audio, backlog.pace.audio_seconds_of(figures))
        work = _sum(work, backlog.pace.processing_seconds_of(figures))
        age = figures.oldest_age_seconds
        views.append(
            QueueView(
                name=figures.name,
                depth=figures.depth,
                oldest_age_seconds=None if age is None else round(age, 3),
                media_bytes=figures.media_bytes,
                audio_seconds_ahead=None if audio is None else round(audio, 1),
                eta_seconds=round(work / slots, 1) if work is not None and slots else None,
            )
        )
    return tuple(views)


def _webhooks(counts: Mapping[str, int]) -> WebhooksView:
    attempts = counts.get("attempts", 0)
    names = ("pending", "delivered", "failed", "dropped", "attempts", "failed_attempts")
    return WebhooksView(
        **{name: max(0, counts.get(name, 0)) for name in names},
        mean_seconds=round(counts["milliseconds"] / attempts / 1000, 3) if attempts else None,
    )


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _worker(worker: WorkerStatus, own: set[str]) -> WorkerView:
    return WorkerView(
        name=worker.name,
        device=worker.device,
        gpu=worker.gpu,
        compute_type=worker.compute_type,
        state="busy" if worker.jobs else "idle",
        running=len(worker.jobs),
        slots=worker.jobs_at_once,
        jobs=tuple(job_id for job_id in worker.jobs if job_id in own),
        loaded_models=worker.loaded_models,
        rss_bytes=worker.rss_bytes,
        started_at=worker.started_at,
        stage=worker.stage,
    )


def _day(day: DayOfUse) -> DayView:
    return DayView(date=day.day, **_total([day]).model_dump())


def _total(days: Iterable[DayOfUse]) -> UseView:
    days = tuple(days)
    return UseView(
        succeeded=sum(day.succeeded for day in days),
        failed=sum(day.failed for day in days),
        canceled=sum(day.canceled for day in days),
        media_bytes=sum(day.media_bytes for day in days),
        audio_seconds=round(sum(day.audio_seconds for day in days), 3),
        processing_seconds=round(sum(day.processing_seconds for day in days), 3),
    )
