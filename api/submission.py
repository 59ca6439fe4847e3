"""Take an upload in: bytes to storage, ledger, record, message; from then on nothing loses it."""

import logging
import unicodedata
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import PurePosixPath

from flask import Request

from api.multipart import FileHead, Form, FormReader, Sink
from api.services import ANONYMOUS, Services
from jobs.errors import EmptyMedia, MalformedRequest, Unavailable
from jobs.job import Job, Media, new_job_id
from jobs.multipart import MultipartWriter
from jobs.options import JobOptions

MAX_NAME_CHARACTERS = 255

log = logging.getLogger(__name__)

ReadOptions = Callable[[dict[str, list[str]]], JobOptions]


def submit(
    request: Request, services: Services, *, file_field: str, read_options: ReadOptions
) -> Job:
    """Return the job that a form asks for, queued.

    Args:
        request: a multipart form that was not read yet.
        services: where the job goes.
        file_field: the part that holds the media.
        read_options: turns the form's fields into options; called when the file begins with
            what came before it, and again at the end with everything.

    Raises:
        RequestError: the form is at fault; nothing of it is kept.
        Unavailable: storage or the job store is away; nothing is kept.
    """
    job_id = new_job_id()
    with ExitStack() as on_exit:
        writers: list[MultipartWriter] = []

        def open_sink(head: FileHead, fields: dict[str, list[str]]) -> Sink:
            read_options(fields)
            writer = services.files.media_writer(job_id, content_type=head.content_type)
            writers.append(on_exit.enter_context(writer))
            return writers[0]

        reader = FormReader(
            file_field=file_field,
            max_file_bytes=services.settings.max_media_bytes,
            open_sink=open_sink,
        )
        form = reader.read(request)
        options = read_options(form.fields)
        media = _media(form, writers, file_field)
    job = Job(
        id=job_id,
        owner=ANONYMOUS,
        options=options,
        media=media,
        created_at=datetime.now(UTC),
    )
    _accept(job, services)
    return job


def _accept(job: Job, services: Services) -> None:
    """Make the job durable, then known, then on its way."""
    try:
        services.files.write_ledger(job)
        services.store.add(job)
    except Unavailable:
        # The client hears 503 and sends it again; this one must not run too.
        with suppress(Unavailable):
            services.files.purge(job.id)
        raise
    try:
        services.queue.send(job.id, job.options.priority)
    except Unavailable as error:
        # Recorded is accepted: the housekeeper sends what has no message.
        log.warning("no message sent: %s", error, extra={"job_id": job.id})


def _media(form: Form, writers: list[MultipartWriter], file_field: str) -> Media:
    if form.file is None or not writers:
        msg = f"the form has no file: send the media as the part {file_field!r}"
        raise MalformedRequest(msg)
    if writers[0].written_bytes == 0:
        msg = "the file is empty"
        raise EmptyMedia(msg)
    return Media(
        filename=shown_name(form.file.filename),
        bytes=writers[0].written_bytes,
        sha256=writers[0].sha256,
        content_type=form.file.content_type,
    )


def shown_name(filename: str) -> str:
    """Return a client's file name without folders and control characters.

    It is only ever shown and offered for downloads: no file is opened by it.
    """
    name = PurePosixPath(filename.replace("\\", "/")).name
    printable = "".join(c for c in name if unicodedata.category(c)[0] != "C")
    shown = printable.strip()[-MAX_NAME_CHARACTERS:]
    return shown if shown.strip(".") else "media"
