"""Say whether the service is there, and whether it can work."""

from typing import Any

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag

from api.services import services
from jobs.errors import Unavailable
from jobs.options import Priority

health = APIBlueprint("health", __name__, abp_tags=[Tag(name="health")])


@health.get("/", summary="Is somebody there?")
def root() -> Response:
    """Answer what the replaced service answered here."""
    return jsonify(status="running", service="whisperline", docs="/v1/jobs")


@health.get("/health", summary="How the service is")
def healthy() -> Response:
    """Answer 200 as long as this process answers; `/ready` says whether a job would run."""
    try:
        workers = services().workers.alive()
    except Unavailable as error:
        return jsonify(status="degraded", detail=error.message, device=None, loaded_models=[])
    return jsonify(
        status="healthy" if workers else "degraded",
        detail=None if workers else "no worker is alive; jobs wait",
        device=workers[0].device if workers else None,
        loaded_models=sorted({model for worker in workers for model in worker.loaded_models}),
        workers=len(workers),
        queued=sum(services().store.depth(queue) for queue in Priority),
    )


@health.get("/ready", summary="Can a job be taken in?", responses={503: None})
def ready() -> tuple[Response, int]:
    """Answer 200 when Redis and object storage take a job, 503 otherwise."""
    found = services()
    checks: dict[str, Any] = {}
    for name, ping in (("redis", found.store.ping), ("storage", found.files.ping)):
        try:
            ping()
            checks[name] = "ok"
        except Unavailable as error:
            checks[name] = error.message
    is_ready = all(outcome == "ok" for outcome in checks.values())
    answer = jsonify(status="ready" if is_ready else "not ready", checks=checks)
    if not is_ready:
        answer.headers["Retry-After"] = "5"
    return answer, 200 if is_ready else 503
