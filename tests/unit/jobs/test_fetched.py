from io import BytesIO

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.addresses import parse_target
from jobs.errors import FetchFailed, SourceUnavailable
from jobs.fetched import Fetched, Receiver


def receive(
    headers: dict[bytes | str, bytes | str], *, status: int = 200, path: str = "/"
) -> Fetched:
    """Receive an answer that came from `path`."""
    receiver = Receiver(target=BytesIO(), max_bytes=100, on_progress=lambda *_: None)
    response = httpcore.Response(status, headers=headers, content=b"abc")
    return receiver.receive(response, parse_target(f"http://files.example{path}"))


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        (b'attachment; filename="a call.wav"', "a call.wav"),
        (b"attachment; filename=call.wav", "call.wav"),
        (b"attachment; filename=\"no.wav\"; filename*=UTF-8''%e2%82%ac.wav", "€.wav"),
        (b"attachment; filename*=UTF-8''%e2%82%ac.wav; filename=no.wav", "€.wav"),
        (b"attachment; filename*=iso-8859-1'en'%e9.wav", "é.wav"),
        ('attachment; filename="é.wav"'.encode(), "é.wav"),
        ('attachment; filename="é.wav"'.encode("latin-1"), "é.wav"),
        (b'attachment; filename="../../etc/passwd"', "passwd"),
        (b'attachment; filename="C:\\\\calls\\\\a.wav"', "a.wav"),
        (b'attachment; filename=".."', "media"),
        (b"attachment; filename*=nonsense''%ff.wav", "ÿ.wav"),
        (b"attachment", "talk é.mp3"),
        (b'attachment; filename=""', "talk é.mp3"),
        (b"", "talk é.mp3"),
    ],
)
def test_the_name_is_the_server_s_or_else_the_address_s(disposition: bytes, filename: str) -> None:
    fetched = receive({"Content-Disposition": disposition}, path="/a/talk%20%C3%A9.mp3?x=/b.wav")

    assert fetched.filename == filename


def test_an_address_without_a_name_gives_media() -> None:
    assert receive({}).filename == "media"


@given(st.binary(max_size=60).map(lambda tail: b"attachment; filename" + tail))
def test_no_header_of_a_server_is_a_bug_of_ours(disposition: bytes) -> None:
    name = receive({"Content-Disposition": disposition}).filename

    assert name.isprintable()
    assert "/" not in name


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 410, 416, 451, 499])
def test_an_answer_without_the_media_is_final(status: int) -> None:
    with pytest.raises(FetchFailed, match=rf"^files\.example answered {status}") as failure:
        receive({}, status=status, path="/a?token=s3cret")

    assert "abc" not in failure.value.message
    assert "s3cret" not in failure.value.message


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_an_answer_that_says_later_is_tried_again_later(status: int) -> None:
    with pytest.raises(SourceUnavailable, match=rf"^files\.example answered {status}"):
        receive({}, status=status)


def test_the_message_has_the_standard_s_words_for_a_status() -> None:
    with pytest.raises(FetchFailed, match=r"answered 404 Not Found$"):
        receive({}, status=404)


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "zstd", "x"])
def test_compressed_answers_are_refused(coding: str) -> None:
    with pytest.raises(FetchFailed, match="compressed"):
        receive({"Content-Encoding": coding})


@pytest.mark.parametrize("coding", ["", "identity", "Identity"])
def test_answers_as_they_are_pass(coding: str) -> None:
    assert receive({"Content-Encoding": coding}).bytes == 3


def test_a_content_type_that_is_no_text_is_left_out() -> None:
    assert receive({"Content-Type": b"audio/mpeg"}).content_type == "audio/mpeg"
    assert receive({"Content-Type": b"audio/\xc2\x9b"}).content_type is None
    assert receive({"Content-Type": b"a" * 1000}).content_type is None
    assert receive({}).content_type is None
