"""Receive what a job is made of: a form with the media in it, or JSON that says where it is."""

from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote, urlsplit

from flask import Request

from api.multipart import FileHead, FormReader, Sink
from jobs.media import Media
from jobs.options import JobOptions
from jobs.request_errors import EmptyMedia, MalformedRequest
from jobs.shown_name import shown_name
from jobs.source import S3Source, Source, UrlSource


class HashingSink(Sink, Protocol):
    """Where media goes; what it knows of it afterwards."""

    @property
    def sha256(self) -> str:
        """The digest of all bytes so far, in hexadecimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a request asks for, complete and valid."""

    options: JobOptions
    media: Media
    source: Source | None = None


OpenMedia = Callable[[FileHead], HashingSink]  # begins to store the media
Receive = Callable[[OpenMedia], Received]
ReadOptions = Callable[[dict[str, list[str]]], JobOptions]


def receive_form(
    request: Request,
    open_media: OpenMedia,
    *,
    file_field: str,
    read_options: ReadOptions,
    max_file_bytes: int,
    prefix_of: Callable[[dict[str, list[str]]], bytes] = lambda fields: b"",
    cut_fields: Container[str] = (),
) -> Received:
    """Read a multipart form to its end.

    Args:
        request: not read yet.
        open_media: called when the file begins.
        file_field: the part that holds the media.
        read_options: turns the form's fields into options; called when the file begins with
            what came before it, and again at the end with everything.
        max_file_bytes: where to stop reading.
        prefix_of: what to store before the file's own bytes, given the fields that came before.
        cut_fields: see `FormReader`.

    Raises:
        RequestError: the form is at fault.
    """
    sinks: list[HashingSink] = []

    def open_sink(head: FileHead, fields: dict[str, list[str]]) -> Sink:
        read_options(fields)
        sinks.append(open_media(head))
        prefix = prefix_of(fields)
        if prefix:
            sinks[0].write(prefix)
        return sinks[0]

    reader = FormReader(
        file_field=file_field,
        max_file_bytes=max_file_bytes,
        open_sink=open_sink,
        cut_fields=cut_fields,
    )
    form = reader.read(request)
    options = read_options(form.fields)
    if form.file is None or not sinks:
        msg = f"the form has no file: send the media as the part {file_field!r}"
        raise MalformedRequest(msg)
    if sinks[0].written_bytes <= len(prefix_of(form.fields)):
        msg = "the file is empty"
        raise EmptyMedia(msg)
    media = Media(
        filename=shown_name(form.file.filename),
        bytes=sinks[0].written_bytes,
        sha256=sinks[0].sha256,
        content_type=form.file.content_type,
    )
    return Received(options=options, media=media)


def media_named_by(source: Source) -> Media:
    """Return what is known of media before it was fetched: what its address calls it."""
    name = ""
    if isinstance(source, UrlSource):
        with suppress(ValueError):
            name = unquote(urlsplit(source.url).path)
    elif isinstance(source, S3Source):
        name = source.key
    return Media(filename=shown_name(name))
