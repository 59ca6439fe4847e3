"""Fetch the transcripts of jobs that succeeded: `whisperline get ID -f srt`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from client.collecting import output_path
from client.connection import Connection
from client.errors import Misuse
from client.formats import BINARY, FormatsOption, formats_in
from client.inspecting import JobIds, checked_ids
from client.output_names import safe_name
from client.transcribing import PATIENCE_SECONDS
from client.written import write_whole

_STANDARD_OUTPUT = "-"


def get(
    context: typer.Context,
    job_ids: JobIds,
    connection: Connection,
    *,
    formats: Annotated[str, FormatsOption] = "txt",
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER|-",
            help="A folder, for ID.srt and so on; -: standard output.",
        ),
    ] = _STANDARD_OUTPUT,
) -> None:
    """Fetch transcripts, onto standard output or into a folder."""
    connection = connection.over(context.obj)
    screen = connection.screen()
    wanted, ids = formats_in(formats), checked_ids(job_ids)
    if output == _STANDARD_OUTPUT:
        _must_fit_standard_output(wanted, ids)
    with connection.connect(screen, patience_seconds=PATIENCE_SECONDS) as service:
        for job_id in ids:
            for form in wanted:
                content = service.transcript(job_id, form)
                if output == _STANDARD_OUTPUT:
                    screen.content(content)
                    continue
                # The id, not the name the media had: that is anybody's choice.
                path = output_path(Path(output) / safe_name(job_id), form)
                write_whole(path, content)
                screen.text(str(path))
                screen.value({"id": job_id, "format": form, "path": str(path)})


def _must_fit_standard_output(formats: tuple[str, ...], job_ids: list[str]) -> None:
    if len(formats) * len(job_ids) > 1:
        msg = "only one transcript fits standard output; -o FOLDER takes several"
        raise Misuse(msg)
    if sys.stdout.isatty() and BINARY.intersection(formats):
        msg = f"{formats[0]} is nothing for a terminal; use -o FOLDER, or redirect it"
        raise Misuse(msg)
