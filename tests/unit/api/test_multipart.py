import io
from collections.abc import Iterator

import pytest
from flask import Request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from api.multipart import MAX_FIELDS, MAX_FIELDS_BYTES, FileHead, Form, FormReader
from jobs.request_errors import MalformedRequest, TooLarge, UnsupportedRequest

BOUNDARY = "----boundary"


class Collected:
    """Keeps what it is given, and how large the pieces were."""

    def __init__(self) -> None:
        self.content = b""
        self.written_bytes = 0
        self.largest = 0

    def write(self, chunk: bytes | bytearray) -> None:
        self.content += chunk
        self.written_bytes += len(chunk)
        self.largest = max(self.largest, len(chunk))


def body(*parts: tuple[str, str | None, bytes]) -> bytes:
    """A form of (name, filename, content) parts."""

    def each() -> Iterator[bytes]:
        for name, filename, content in parts:
            file = f'; filename="{filename}"' if filename is not None else ""
            head = f'Content-Disposition: form-data; name="{name}"{file}'
            yield f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"
        yield f"--{BOUNDARY}--\r\n".encode()

    return b"".join(each())


def request(content: bytes, content_type: str | None = None) -> Request:
    builder = EnvironBuilder(
        method="POST",
        input_stream=io.BytesIO(content),
        content_type=content_type or f"multipart/form-data; boundary={BOUNDARY}",
        content_length=len(content),
    )
    return Request(builder.get_environ())


def read(
    content: bytes, *, sink: Collected | None = None, limit: int = 10**7
) -> tuple[Form, Collected]:
    collected = sink or Collected()

    def open_sink(head: FileHead, fields: dict[str, list[str]]) -> Collected:
        return collected

    reader = FormReader(file_field="file", max_file_bytes=limit, open_sink=open_sink)
    return reader.read(request(content)), collected


@given(
    content=st.binary(max_size=4000)
    | st.text(alphabet="\r\n-bounday", max_size=300).map(str.encode),
    before=st.text(max_size=50),
)
def test_the_bytes_of_the_file_arrive_as_they_were_sent(content: bytes, before: str) -> None:
    if f"--{BOUNDARY}".encode() in content:
        return

    form, sink = read(body(("note", None, before.encode()), ("file", "a.wav", content)))

    assert sink.content == content
    assert form.fields == {"note": [before]}
    assert form.file is not None
    assert form.file.filename == "a.wav"


def test_a_large_file_is_handed_on_in_small_pieces() -> None:
    _, sink = read(body(("file", "a.wav", bytes(3_000_000))))

    assert sink.written_bytes == 3_000_000
    assert sink.largest < 600_000


def test_fields_after_the_file_count_too() -> None:
    form, _ = read(body(("file", "a.wav", b"x"), ("model", None, b"tiny.en")))

    assert form.fields == {"model": ["tiny.en"]}


def test_options_may_come_as_a_json_part_with_a_file_name() -> None:
    form, _ = read(body(("options", "o.json", b'{"a":1}'), ("file", "a.wav", b"x")))

    assert form.fields == {"options": ['{"a":1}']}


def test_a_second_file_or_one_under_another_name_is_refused() -> None:
    with pytest.raises(MalformedRequest, match="unexpected file"):
        read(body(("file", "a", b"x"), ("file", "b", b"y")))
    with pytest.raises(MalformedRequest, match="unexpected file 'audio'"):
        read(body(("audio", "a", b"x")))


@pytest.mark.parametrize("cut", [1, 30, 60, 80, 95])
def test_a_body_that_breaks_off_is_refused_wherever_it_does(cut: int) -> None:
    whole = body(("file", "a.wav", b"0123456789" * 5))

    with pytest.raises(MalformedRequest, match="breaks off"):
        read(whole[: len(whole) * cut // 100])


def test_a_file_over_the_limit_is_refused_before_it_is_read_where_the_length_tells() -> None:
    sink = Collected()

    with pytest.raises(TooLarge, match="file too large"):
        read(body(("file", "a.wav", bytes(5_000_000))), sink=sink, limit=1_000_000)
    assert sink.written_bytes == 0


def test_a_file_over_the_limit_stops_the_reading_where_no_length_tells() -> None:
    sink = Collected()

    with pytest.raises(TooLarge, match="file too large"):
        read(body(("file", "a.wav", bytes(1_500_000))), sink=sink, limit=1_000_000)
    assert sink.written_bytes < 1_400_000


def test_too_many_or_too_long_fields_are_refused() -> None:
    with pytest.raises(TooLarge, match="form fields"):
        read(body(*((f"f{n}", None, b"") for n in range(MAX_FIELDS + 1))))
    with pytest.raises(TooLarge, match="form fields are over"):
        read(body(("f", None, bytes(MAX_FIELDS_BYTES + 1))))


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", "text/plain"])
def test_a_body_that_is_no_form_is_refused(content_type: str) -> None:
    reader = FormReader(
        file_field="file", max_file_bytes=10, open_sink=lambda head, fields: Collected()
    )

    with pytest.raises(UnsupportedRequest):
        reader.read(request(b"{}", content_type))


def test_a_field_that_is_no_text_has_no_name_or_should_be_a_file_is_refused() -> None:
    with pytest.raises(MalformedRequest, match="'note' is not UTF-8"):
        read(body(("note", None, b"\xff\xfe")))
    with pytest.raises(MalformedRequest, match="no name"):
        read(body(("", None, b"x")))
    with pytest.raises(MalformedRequest, match="send it as a file"):
        read(body(("file", None, b"x")))


def test_a_chunk_that_the_server_cannot_read_is_a_broken_form() -> None:
    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: object) -> int:
            raise OSError("invalid chunk")  # as gunicorn's own errors are

    environ = EnvironBuilder(
        method="POST", content_type=f"multipart/form-data; boundary={BOUNDARY}"
    ).get_environ()
    environ |= {"wsgi.input": io.BufferedReader(Broken()), "wsgi.input_terminated": True}
    reader = FormReader(
        file_field="file", max_file_bytes=10, open_sink=lambda head, fields: Collected()
    )

    with pytest.raises(MalformedRequest, match="breaks off"):
        reader.read(Request(environ))
