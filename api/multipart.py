"""Read a multipart body while it arrives: fields into memory, the one file into a sink."""

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from flask import Request
from gunicorn.http.errors import ParseException  # what its body stream raises at a broken chunk
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.sansio.multipart import (
    Data,
    Epilogue,
    Event,
    Field,
    File,
    MultipartDecoder,
    NeedData,
)

from jobs.content_type import sound_content_type
from jobs.request_errors import MalformedRequest, TooLarge, UnsupportedRequest

CHUNK_BYTES = 256 * 1024  # read at once; small beside a part, large beside a system call
MAX_FIELDS = 200
CUT_BYTES = 100  # kept of a field that nothing reads
MAX_CUT_BYTES = 64 * 1024 * 1024  # thrown away of such fields
MAX_FIELDS_BYTES = 1024 * 1024  # all fields together


class Sink(Protocol):
    """Where the bytes of the file go."""

    @property
    def written_bytes(self) -> int:
        """How many bytes came so far."""

    def write(self, chunk: bytes | bytearray) -> None:
        """Take the next bytes."""


@dataclass(slots=True, kw_only=True)
class FileHead:
    """What a client says of the file it sends."""

    filename: str
    content_type: str | None


OpenSink = Callable[[FileHead, dict[str, list[str]]], Sink]


@dataclass(slots=True, kw_only=True)
class Form:
    """A body that was read to its end."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    file: FileHead | None = None


class FormReader:
    """Reads one multipart/form-data body; what it holds at once does not grow with the file."""

    def __init__(
        self,
        *,
        file_field: str,
        max_file_bytes: int,
        open_sink: OpenSink,
        cut_fields: Container[str] = (),
    ) -> None:
        """Prepare to read.

        Args:
            file_field: the name of the part that holds the file; other files are refused.
            max_file_bytes: where to stop reading.
            open_sink: called when the file begins, with the fields that came before it, so that
                a client that sends its options first hears of a mistake before it sends a
                gigabyte.
            cut_fields: names of fields of which only the first CUT_BYTES are kept: large ones that
                nothing here reads.
        """
        self._file_field = file_field
        self._max_file_bytes = max_file_bytes
        self._open_sink = open_sink
        self._cut_fields = cut_fields
        self._form = Form()
        self._sink: Sink | None = None  # while the file's bytes come
        self._name = ""  # of the field whose bytes come
        self._text = bytearray()
        self._field_count = 0
        self._field_bytes = 0
        self._cut_bytes = 0

    def read(self, request: Request) -> Form:
        """Read a request's body to its end.

        Raises:
            UnsupportedRequest: the body is no form.
            MalformedRequest: it breaks off, or holds a file too many.
            TooLarge: the file or the fields are over their limit.
        """
        if (request.content_length or 0) > self._max_file_bytes + MAX_FIELDS_BYTES:
            raise self._too_large()
        for event in _events(request):
            if isinstance(event, File):
                self._begin_file(event)
            elif isinstance(event, Field):
                self._begin_field(event.name)
            elif isinstance(event, Data):
                self._take(event)
        return self._form

    def _begin_file(self, event: File) -> None:
        if event.name == "options":  # a JSON part, which some clients send with a file name
            self._begin_field(event.name)
            return
        if event.name != self._file_field or self._form.file is not None:
            msg = f"unexpected file {event.name!r}: send one, as the part {self._file_field!r}"
            raise MalformedRequest(msg)
        head = FileHead(
            filename=event.filename,
            content_type=sound_content_type(event.headers.get("content-type")),
        )
        self._form.file = head
        self._sink = self._open_sink(head, self._form.fields)

    def _begin_field(self, name: str | None) -> None:
        if not name:
            msg = "a form field has no name"
            raise MalformedRequest(msg)
        if name == self._file_field:
            msg = f"the part {name!r} is a field: send it as a file, with a file name"
            raise MalformedRequest(msg)
        self._field_count += 1
        if self._field_count > MAX_FIELDS:
            msg = f"more than {MAX_FIELDS} form fields"
            raise TooLarge(msg)
        self._name, self._text = name, bytearray()

    def _take(self, event: Data) -> None:
        if self._sink is not None:
            self._sink.write(event.data)
            if self._sink.written_bytes > self._max_file_bytes:
                raise self._too_large()
            if not event.more_data:
                self._sink = None
            return
        is_cut = self._name in self._cut_fields
        chunk = event.data[: CUT_BYTES - len(self._text)] if is_cut else event.data
        self._text += chunk
        self._field_bytes += len(chunk)
        self._cut_bytes += len(event.data) - len(chunk)
        if self._field_bytes > MAX_FIELDS_BYTES or self._cut_bytes > MAX_CUT_BYTES:
            msg = f"the form fields are over {MAX_FIELDS_BYTES // 1024} KiB"
            raise TooLarge(msg)
        if not event.more_data:
            try:
                text = self._text.decode(errors="replace" if is_cut else "strict")
            except UnicodeDecodeError as error:
                msg = f"the field {self._name!r} is not UTF-8"
                raise MalformedRequest(msg) from error
            self._form.fields.setdefault(self._name, []).append(text)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"file too large: the limit is {self._max_file_bytes // 1024**2} MiB")


def _events(request: Request) -> Iterator[Event]:
    """Yield what the body consists of, as it arrives.

    Werkzeug's own form parser would first write the whole file to the local disk; its decoder,
    which needs no input or output, is what both use.
    """
    boundary = request.mimetype_params.get("boundary")
    if request.mimetype != "multipart/form-data" or not boundary:
        msg = "send the media as multipart/form-data"
        raise UnsupportedRequest(msg)
    decoder = MultipartDecoder(
        boundary.encode("latin-1", "replace"), max_form_memory_size=MAX_FIELDS_BYTES
    )
    chunks = body_of(request)
    at_end = False
    try:
        while True:
            event = decoder.next_event()
            if isinstance(event, Epilogue):
                return
            if not isinstance(event, NeedData):
                yield event
                continue
            if at_end:
                raise MalformedRequest(_BROKEN_OFF)
            chunk = next(chunks, None)
            at_end = chunk is None
            decoder.receive_data(chunk)
    except ValueError as error:
        raise MalformedRequest(_BROKEN_OFF) from error
    except RequestEntityTooLarge as error:
        msg = "the head of a form part is too large"
        raise TooLarge(msg) from error


def body_of(request: Request) -> Iterator[bytes]:
    """Yield a body as it arrives.

    Raises:
        MalformedRequest: it breaks off.
    """
    while True:
        try:
            chunk = request.stream.read(CHUNK_BYTES)
        except (ValueError, OSError, ClientDisconnected, ParseException) as error:
            raise MalformedRequest(_BROKEN_OFF) from error
        if not chunk:
            return
        yield chunk


_BROKEN_OFF = "the body breaks off or is not what its content type says"
