"""Say whether the service is there, whether it can work, and how much there is to do."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Literal

from flask import Response, request
from flask_openapi3 import APIBlueprint, MediaType, Schema, Tag
from pydantic import BaseModel, Field

from api.answers import answer_json
from api.services import Services, services
from jobs.errors import Unavailable
from jobs.options import Priority
from jobs.workers import WorkerStatus, unserved_stages

RETRY_AFTER_SECONDS = 5
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)

health = APIBlueprint("health", __name__, abp_tags=[Tag(name="health")])


class Running(BaseModel):
    """That somebody is there."""

    status: Literal["running"] = "running"
    service: str = "whisperline"
    docs: str = "/docs"
    health: str = "/health"


Running.model_config["openapi_extra"] = {  # type: ignore[typeddict-unknown-key]
    "description": "that somebody is there; to browsers, a page",
    "content": {"text/html": MediaType(schema=Schema(type="string"))},
}


class Health(BaseModel):
    """How the service is."""

    status: Literal["healthy", "degraded"]
    detail: str | None = Field(description="what it lacks")
    device: str | None = Field(description="`cuda` where any worker has a GPU, else `cpu`")
    loaded_models: tuple[str, ...] = Field(description="in the memory of any worker")
    workers: int
    queued: int = Field(description="jobs that wait")


class Readiness(BaseModel):
    """Whether a job can be taken in."""

    status: Literal["ready", "not ready"]
    checks: dict[str, str] = Field(description="each part that it takes: `ok`, or what is wrong")
    rebuilding: bool = Field(
        default=False,
        description="Redis was emptied: lists of jobs are incomplete until all are back",
    )


class WorkerLoad(BaseModel):
    """What one worker is doing."""

    name: str
    device: str
    active: int = Field(description="jobs it works on")
    loaded_models: tuple[str, ...]


class QueueMetrics(BaseModel):
    """How much there is to do, and who does it."""

    queued: int = Field(description="jobs that wait, in all queues")
    queues: dict[str, int] = Field(description="jobs that wait, by queue; the most urgent first")
    active: int = Field(description="jobs in work")
    loaded_models: tuple[str, ...]
    workers: tuple[WorkerLoad, ...]


@health.get("/", summary="Is somebody there?", responses={200: Running})
def root() -> Response:
    """Answer a page to browsers, and to others what the replaced service answered here."""
    offered = ("application/json", "text/html")
    if request.accept_mimetypes.best_match(offered, default=offered[0]) == "text/html":
        answer = Response((files("api") / "static" / "index.html").read_bytes())
        answer.content_type = "text/html; charset=utf-8"
        answer.headers["Content-Security-Policy"] = _POLICY
        answer.headers["X-Content-Type-Options"] = "nosniff"
    else:
        answer = answer_json(Running())
    answer.vary.add("Accept")
    return answer


@health.get("/health", summary="How the service is", responses={200: Health})
def healthy() -> Response:
    """Answer 200 as long as this process answers; `/ready` says whether a job can be taken in."""
    try:
        workers = services().workers.alive()
        unserved = ", ".join(unserved_stages(workers))
        failed = [one.name for one in services().workers.not_running() if one.state == "failed"]
        queued = sum(_depths(services()).values())
    except Unavailable as error:
        return answer_json(_health([], queued=0, lacks=error.message))
    lacks = None
    if not any(worker.slots for worker in workers):
        lacks = "no worker is alive; jobs wait"
    elif unserved:
        lacks = f"no worker does the stage {unserved}; jobs go without it"
    elif failed:
        lacks = f"{', '.join(failed)} kept failing and is not started again; others go on"
    return answer_json(_health(workers, queued=queued, lacks=lacks))


@health.get("/ready", summary="Can a job be taken in?", responses={200: Readiness, 503: Readiness})
def ready() -> Response:
    """Answer 200 when Redis and object storage take a job, 503 otherwise.

    It says nothing of workers: without one, jobs are taken in, and wait.
    """
    found = services()
    pings = {"redis": found.store.ping, "storage": found.files.ping}
    with ThreadPoolExecutor(len(pings)) as pool:  # at once: each may let us wait for its timeout
        checks = dict(zip(pings, pool.map(_outcome, pings.values()), strict=True))
    if all(outcome == "ok" for outcome in checks.values()):
        rebuilding = not found.store.is_rebuilt()
        return answer_json(Readiness(status="ready", checks=checks, rebuilding=rebuilding))
    answer = answer_json(Readiness(status="not ready", checks=checks), status=503)
    answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


@health.get("/queue-metrics", summary="How much there is to do", responses={200: QueueMetrics})
def queue_metrics() -> Response:
    """Answer how many jobs wait and run, and what the workers have in memory.

    What the replaced service answered here; `/metrics` has the same, and more, for Prometheus.
    """
    found = services()
    workers = found.workers.alive()
    depths = _depths(found)
    loads = tuple(
        WorkerLoad(
            name=worker.name,
            device=worker.device,
            active=len(worker.jobs) if worker.slots else 0,  # a job counts once
            loaded_models=worker.loaded_models,
        )
        for worker in workers
    )
    return answer_json(
        QueueMetrics(
            queued=sum(depths.values()),
            queues=depths,
            active=sum(load.active for load in loads),
            loaded_models=_loaded(workers),
            workers=loads,
        )
    )


def _outcome(ping: Callable[[], None]) -> str:
    try:
        ping()
    except Unavailable as error:
        return error.message
    return "ok"


def _health(workers: list[WorkerStatus], *, queued: int, lacks: str | None) -> Health:
    devices = {worker.device for worker in workers}
    return Health(
        status="degraded" if lacks else "healthy",
        detail=lacks,
        device=max(devices, default=None),  # of the two, cuda
        loaded_models=_loaded(workers),
        workers=sum(1 for worker in workers if worker.slots),
        queued=queued,
    )


def _depths(found: Services) -> dict[str, int]:
    return {str(queue): found.store.depth(queue) for queue in Priority}


def _loaded(workers: list[WorkerStatus]) -> tuple[str, ...]:
    return tuple(sorted({model for worker in workers for model in worker.loaded_models}))
