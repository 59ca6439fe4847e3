import json
import socket

import pytest
from gunicorn.http.errors import (
    InvalidHeader,
    InvalidRequestLine,
    InvalidResponseHeader,
    LimitRequestHeaders,
    LimitRequestLine,
)

from api.refusals import refusal_of
from api.server import is_decided
from jobs.request_errors import UploadStalled


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nbody",
        b"\r\nGET / HTTP/1.1\r\n\r\n",
        b"\r\n\r\nGET",  # two empty lines: no request line
        b"GET / HTTP/1.1\nHost",  # refused at the first bare line feed
    ],
)
def test_a_head_is_decided_when_it_is_over_or_broken(head: bytes) -> None:
    assert is_decided(head)


@pytest.mark.parametrize("end", range(len(b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r")))
def test_a_head_is_open_up_to_its_last_byte(end: int) -> None:
    assert not is_decided(b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r"[:end])


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (LimitRequestLine(9, 8), 414, "uri_too_long"),
        (LimitRequestHeaders("secret"), 431, "headers_too_large"),
        (InvalidHeader("secret"), 400, "malformed_request"),
        (InvalidRequestLine("secret"), 400, "malformed_request"),
        (UploadStalled("the body came too slowly"), 408, "upload_stalled"),
        (InvalidResponseHeader("secret"), 500, "internal"),
        (ZeroDivisionError("secret"), 500, "internal"),
    ],
)
def test_a_refusal_is_a_problem_that_repeats_nothing(
    error: Exception, status: int, code: str
) -> None:
    server, client = socket.socketpair()
    with server, client:
        refusal_of(error).send(server)
        head, _, body = client.recv(4096).partition(b"\r\n\r\n")

    told = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"application/problem+json" in head
    assert b"Connection: close" in head
    assert b"Content-Length: %d" % len(body) in head
    assert told.keys() == {"type", "title", "status", "code", "detail"}
    assert (told["status"], told["code"]) == (status, code)
    assert b"secret" not in body
