"""Hand media to the service and go away: `whisperline submit talk.mp3`."""

from typing import Annotated

import typer

from client.connection import Connection
from client.job_options import JobOptions
from client.submission import Submission
from client.transcribing import PATIENCE_SECONDS


def submit(
    context: typer.Context,
    media: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|ADDRESS...", help="Files, http(s):// addresses or s3://bucket/key."
        ),
    ],
    connection: Connection,
    options: JobOptions,
) -> None:
    """Submit media and print the ids of the jobs, without waiting for them."""
    connection = connection.over(context.obj)
    screen = connection.screen()
    submissions = [Submission.of(each, options.chosen()) for each in media]
    for each in submissions:
        if each.path is not None and not each.path.is_file():
            msg = f"{each.path} is no file; for a folder there is `whisperline batch`"
            raise typer.BadParameter(msg)
    with connection.connect(screen, patience_seconds=PATIENCE_SECONDS) as service:
        for argument, submission in zip(media, submissions, strict=True):
            job = service.submit(submission)
            screen.text(job.id)
            screen.value({"input": argument, **job.shown()})
