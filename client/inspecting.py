"""Look after jobs by their ids: `whisperline status`, `wait` and `cancel`."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

import typer

from client import exit_codes
from client.connection import Connection
from client.errors import Misuse, ServiceRefused
from client.job import Job
from client.refusals import holds_for_all
from client.screen import Screen
from client.transcribing import PATIENCE_SECONDS

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")  # of the service, or by PUT
_WAIT_SECONDS = 30.0  # below the idle limit of common proxies
_COLUMNS = ("id", "status", "stage", "progress", "name", "error")

JobIds = Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of jobs.")]


def checked_ids(job_ids: Iterable[str]) -> list[str]:
    """Return the ids.

    Raises:
        Misuse: one of them can be none.
    """
    found = list(job_ids)
    for job_id in found:
        if not _ID.fullmatch(job_id):
            msg = f"{job_id!r} is no id of a job"
            raise Misuse(msg)
    return found


def status(context: typer.Context, job_ids: JobIds, connection: Connection) -> None:
    """Show how jobs stand."""
    connection = connection.over(context.obj)
    screen = connection.screen()
    with connection.connect(screen) as service:
        asked = _Asked(screen)
        jobs = list(asked.each(checked_ids(job_ids), service.job))
    screen.table(_COLUMNS, [_row(job) for job in jobs])
    asked.leave()


def wait(context: typer.Context, job_ids: JobIds, connection: Connection) -> None:
    """Wait until all jobs are over; a line for each, in the order they were named."""
    connection = connection.over(context.obj)
    screen = connection.screen()
    with connection.connect(screen, patience_seconds=PATIENCE_SECONDS) as service:

        def over(job_id: str) -> Job:
            return list(service.follow(job_id, wait_seconds=_WAIT_SECONDS))[-1]

        asked = _Asked(screen)
        failed = False
        for job in asked.each(checked_ids(job_ids), over):
            screen.text(f"{job.id}\t{job.status if job.has_succeeded else job.trouble}")
            failed = failed or not job.has_succeeded
    asked.leave(otherwise=exit_codes.FAILED if failed else 0)


def cancel(context: typer.Context, job_ids: JobIds, connection: Connection) -> None:
    """Withdraw jobs; a worker that has one is free within seconds."""
    connection = connection.over(context.obj)
    screen = connection.screen()
    with connection.connect(screen) as service:
        asked = _Asked(screen)
        for job in asked.each(checked_ids(job_ids), service.cancel):
            screen.text(f"{job.id}\t{job.status}")
    asked.leave()


class _Asked:
    """Asks for one job after the other; one that is refused does not stop the others."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._is_refused = False

    def each(self, job_ids: Iterable[str], ask: Callable[[str], Job]) -> Iterator[Job]:
        """Yield the answers."""
        for job_id in job_ids:
            try:
                job = ask(job_id)
            except ServiceRefused as error:
                if holds_for_all(error):
                    raise
                self._is_refused = True
                self._screen.complain(f"{job_id}: refused, {error}")
                self._screen.value(
                    {"id": job_id, "refused": {"code": error.code, "detail": error.detail}}
                )
            else:
                self._screen.value(job.shown())
                yield job

    def leave(self, *, otherwise: int = 0) -> None:
        """Exit with the code that all of it comes to."""
        code = exit_codes.REFUSED if self._is_refused else otherwise
        if code:
            raise typer.Exit(code)


def _row(job: Job) -> tuple[object, ...]:
    return (
        job.id,
        job.status,
        job.stage,
        f"{job.progress:.0%}",
        job.media.filename,
        None if job.error is None else job.trouble,
    )
