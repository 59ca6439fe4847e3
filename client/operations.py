"""Show what waits and who works: `whisperline queue` and `workers`."""

from collections.abc import Mapping
from typing import Any

import typer

from client.connection import Connection
from client.screen import Screen


def queue(context: typer.Context, connection: Connection) -> None:
    """Show how many jobs wait in each queue, and when they may be done."""
    screen, found = _asked(context, connection, "/v1/queue")
    columns = ("queue", "waiting", "oldest", "audio ahead", "done in")
    screen.table(columns, [_queue(each) for each in found.get("queues", ())])
    screen.remark(
        f"{found.get('running')} running, {found.get('workers')} workers, "
        f"{found.get('slots')} jobs at once"
    )


def workers(context: typer.Context, connection: Connection) -> None:
    """Show who works, on what, with which models in memory."""
    screen, found = _asked(context, connection, "/v1/workers")
    columns = ("worker", "state", "running", "device", "memory", "models")
    screen.table(columns, [_worker(each) for each in found.get("data", ())])
    if not found.get("data"):
        screen.warn("no worker is alive: jobs are taken in, and wait")


def _asked(
    context: typer.Context, connection: Connection, path: str
) -> tuple[Screen, Mapping[str, Any]]:
    connection = connection.over(context.obj)
    screen = connection.screen()
    with connection.connect(screen) as service:
        found = service.document(path)
    screen.value(found)
    return screen, found


def _queue(queue: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        queue.get("name"),
        queue.get("depth"),
        _duration(queue.get("oldest_age_seconds")) if queue.get("depth") else "",
        _duration(queue.get("audio_seconds_ahead")),
        _duration(queue.get("eta_seconds")),
    )


def _worker(worker: Mapping[str, Any]) -> tuple[object, ...]:
    gpu = worker.get("gpu") or {}
    memory = worker.get("rss_bytes")
    return (
        worker.get("name"),
        worker.get("state"),
        f"{worker.get('running')}/{worker.get('slots')}",
        gpu.get("name") or worker.get("device"),
        None if memory is None else f"{memory / 1e9:.1f} GB",
        " ".join(worker.get("loaded_models", ())),
    )


def _duration(seconds: float | None) -> str:
    """Return seconds as people read them; "?" if nobody knows."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
