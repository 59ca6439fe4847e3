"""Transcribe whatever is put into a folder: `whisperline watch inbox -o transcripts`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from client import exit_codes
from client.backlog import PATIENCE_SECONDS, Backlog
from client.connection import Connection
from client.formats import formats_in
from client.hot_folder import HotFolder
from client.job_options import JobOptions


def watch(
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(exists=True, file_okay=False, metavar="FOLDER", help="Where media is put."),
    ],
    connection: Connection,
    backlog: Backlog,
    options: JobOptions,
    *,
    settle: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="Seconds for which a file must not have changed to be taken.",
        ),
    ] = 5.0,
    every: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="Seconds between two looks.")
    ] = 2.0,
    once: Annotated[
        bool, typer.Option("--once", help="End when all that is there was transcribed.")
    ] = False,
) -> None:
    """Transcribe media as it appears in a folder, until interrupted.

    Files that still grow are waited for; hidden and temporary ones are passed over. It remembers
    what is done in the same way as `batch`.
    """
    connection = connection.over(context.obj)
    screen = connection.screen()
    formats_in(backlog.formats)
    supply = HotFolder(
        folder,
        output_dir=backlog.output_dir,
        options=options.chosen(priority="batch"),
        settle_seconds=settle,
        look_every_seconds=every,
        is_once=once,
        clock=time.monotonic,
    )
    if not once:
        screen.remark(f"watching {folder}; Ctrl-C ends it")
    with connection.connect(
        screen, patience_seconds=PATIENCE_SECONDS, is_patient_at_first=True
    ) as service:
        again = "Run the very same command again to go on."
        is_complete = backlog.drain(supply, service, screen, again=again)
    if not is_complete:
        raise typer.Exit(exit_codes.FAILED)
