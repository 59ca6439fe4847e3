"""Put together what a batch and a hot folder share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from client.collecting import Collector
from client.errors import ServiceRefused, ServiceUnreachable
from client.following import LONGEST_WAIT_SECONDS, Follower
from client.formats import FormatsOption, formats_in
from client.items import Ending
from client.journal import Journal
from client.output_names import OutputNames
from client.run import Display, Run
from client.run_display import RunLines, RunTable
from client.screen import Screen
from client.sending import Sender
from client.service import Service
from client.supply import Supply

PATIENCE_SECONDS = 600.0  # a restart of the whole service, models and all, takes less
_LIVE_WAIT_SECONDS = 3.0  # from look to look where somebody is watching


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How to drain it."""

    output_dir: Annotated[
        Path, typer.Option("--output-dir", "-o", metavar="FOLDER", help="Where transcripts go.")
    ]
    formats: Annotated[str, FormatsOption] = "srt"
    parallel: Annotated[
        int, typer.Option("--parallel", min=1, max=64, metavar="N", help="Uploads at once.")
    ] = 4
    # Who runs it again wants what is missing; a job that cannot succeed fails again at once.
    retries_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed/--no-retry-failed",
            help="Try jobs again that failed or were canceled in an earlier run, once each run.",
        ),
    ] = True

    def drain(self, supply: Supply, service: Service, screen: Screen, *, again: str) -> bool:
        """Take everything through; return whether all of it has transcripts.

        Args:
            supply: of what.
            service: by which.
            screen: where to tell.
            again: how to go on after an interruption.

        Raises:
            KeyboardInterrupt, ServiceUnreachable, ServiceRefused: it was told what goes on.
        """
        with Journal(self.output_dir) as journal, _display(screen) as display:
            run = Run(
                sender=Sender(service=service, retries_failed=self.retries_failed),
                collector=Collector(
                    service=service,
                    journal=journal,
                    names=OutputNames(self.output_dir, kept=journal.names()),
                    directory=self.output_dir,
                    formats=formats_in(self.formats),
                ),
                follower=Follower(
                    service=service,
                    longest_wait_seconds=(
                        _LIVE_WAIT_SECONDS if screen.is_live else LONGEST_WAIT_SECONDS
                    ),
                ),
                display=display,
                parallel=self.parallel,
            )
            with _told(run, screen, again):
                run.perform(supply)
        return run.endings[Ending.FAILED] == 0


@contextmanager
def _display(screen: Screen) -> Iterator[Display]:
    if not screen.is_live:
        yield RunLines(screen)
        return
    table = RunTable(screen)
    with table.shown():
        yield table


@contextmanager
def _told(run: Run, screen: Screen, again: str) -> Iterator[None]:
    """Say at the end, whichever it is, what is done and how to go on."""
    say: Callable[[str], None] = screen.remark
    try:
        yield
    except (KeyboardInterrupt, ServiceUnreachable):
        screen.warn(f"{_going_on(run)}. {again}")
        raise
    except ServiceRefused:  # the same command again would be refused again
        if run.waiting_jobs:
            screen.warn(_going_on(run))
        raise
    finally:
        counts = {str(ending): run.endings[ending] for ending in Ending}
        told = ", ".join(f"{number} {ending}" for ending, number in counts.items() if number)
        say(told or "nothing done")
        screen.value({"type": "summary", **counts})


def _going_on(run: Run) -> str:
    return f"{run.waiting_jobs or 'no'} jobs go on at the service"
