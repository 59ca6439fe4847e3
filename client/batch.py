"""Transcribe a backlog, and go on where it was cut short: `whisperline batch recordings -o out`."""

from typing import Annotated

import typer

from client import exit_codes
from client.backlog import PATIENCE_SECONDS, Backlog
from client.connection import Connection
from client.formats import formats_in
from client.job_options import JobOptions
from client.plan import planned
from client.supply import Listed


def batch(
    context: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FOLDER|PATTERN|MANIFEST...",
            help="A folder (all media in it, at any depth), a pattern such as 'in/**/*.wav', or a "
            'JSONL manifest: {"path": "a.mp3", "language": "de"} or {"url": "https://…"} or '
            '{"s3_uri": "s3://…"} in each line.',
        ),
    ],
    connection: Connection,
    backlog: Backlog,
    options: JobOptions,
) -> None:
    """Transcribe many files. Run it again and only what is missing is done.

    The folders below a source appear again below the output folder. A file .whisperline.jsonl
    there remembers what is done.
    """
    connection = connection.over(context.obj)
    screen = connection.screen()
    formats_in(backlog.formats)
    items = planned(sources, options.chosen(priority="batch"), output_dir=backlog.output_dir)
    with connection.connect(
        screen, patience_seconds=PATIENCE_SECONDS, is_patient_at_first=True
    ) as service:
        again = "Run the very same command again to go on."
        is_complete = backlog.drain(Listed(items), service, screen, again=again)
    if not is_complete:
        raise typer.Exit(exit_codes.FAILED)
