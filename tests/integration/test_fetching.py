import hashlib
from io import BytesIO
from pathlib import Path

import pytest

from jobs.errors import FetchedTooLarge, FetchFailed, SourceUnavailable
from jobs.fetched import Fetched
from jobs.outgoing import Outgoing
from tests.integration.small_internet import (
    HERE,
    MAX_BYTES,
    Internet,
    Server,
    endless,
    fetch,
    raw,
    replying,
)


def test_a_real_recording_arrives_whole(shared_audio: Path) -> None:
    recording = min(shared_audio.rglob("*.wav"), key=lambda path: path.stat().st_size)
    content = recording.read_bytes()
    target = BytesIO()
    with Server(replying(content, Content_Type="audio/wav")) as server:
        fetched = Outgoing(allow_private_addresses=True).fetch(
            f"http://localhost:{server.port}/calls/a%20call.wav",
            {},
            target,
            max_bytes=len(content),
            timeout_seconds=60,
            on_progress=lambda *_: None,
        )

    assert target.getvalue() == content
    assert fetched == Fetched(
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        filename="a call.wav",
        content_type="audio/wav",
    )


def test_progress_never_goes_back_and_ends_with_all_bytes() -> None:
    seen: list[tuple[int, int | None]] = []
    with Server(replying(b"a" * MAX_BYTES)) as server:
        fetch(Internet({}, {HERE: server}), BytesIO(), on_progress=lambda *step: seen.append(step))

    counts = [count for count, _ in seen]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert seen[-1] == (MAX_BYTES, MAX_BYTES)


def test_a_body_in_chunks_is_read_to_its_end_and_has_no_total() -> None:
    seen: list[int | None] = []
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
    target = BytesIO()
    with Server(raw(head, b"3\r\nabc\r\n", b"0\r\n\r\n")) as server:
        fetched = fetch(
            Internet({}, {HERE: server}), target, on_progress=lambda _, total: seen.append(total)
        )

    assert (fetched.bytes, target.getvalue()) == (3, b"abc")
    assert set(seen) == {None}


def test_a_length_over_the_limit_is_refused_before_the_body() -> None:
    target = BytesIO()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n"
    with Server(raw(head, b"abc")) as server, pytest.raises(FetchedTooLarge, match="200000 bytes"):
        fetch(Internet({}, {HERE: server}), target)

    assert target.getvalue() == b""


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 10_000),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"3e8\r\n" + b"a" * 1000 + b"\r\n",
        ),
    ],
)
def test_an_endless_body_is_cut_at_the_limit(head: bytes, piece: bytes) -> None:
    target = BytesIO()
    with (
        Server(endless(head, piece=piece)) as server,
        pytest.raises(FetchedTooLarge, match="larger than 200000 bytes"),
    ):
        fetch(Internet({}, {HERE: server}), target)

    assert 0 < len(target.getvalue()) <= MAX_BYTES


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
        b"HTTP/1.1 200 OK\r\nA: b",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"",
    ],
)
def test_an_answer_that_breaks_off_may_be_whole_later(answer: bytes) -> None:
    with Server(raw(answer)) as server, pytest.raises(SourceUnavailable, match="broke off"):
        fetch(Internet({}, {HERE: server}), BytesIO())


def test_a_compressed_body_is_refused_unread() -> None:
    target = BytesIO()
    with (
        Server(replying(b"\x1f\x8b", Content_Encoding="gzip")) as server,
        pytest.raises(FetchFailed, match="Content-Encoding"),
    ):
        fetch(Internet({}, {HERE: server}), target)

    assert target.getvalue() == b""


def test_a_webhook_s_answer_is_not_followed_and_read_only_at_its_beginning() -> None:
    body = endless(b"HTTP/1.1 307 Go\r\nLocation: /b\r\n\r\n", piece=b"a" * 1000)
    with Server(body) as server:
        answer = Outgoing(
            allow_private_addresses=False, backend=Internet({}, {HERE: server})
        ).request(
            "POST", f"http://{HERE}/hook", {}, b"{}", timeout_seconds=30, max_answer_bytes=1024
        )

    assert (answer.status, answer.body) == (307, b"a" * 1024)
    assert server.asked == ["/hook"]


def test_headers_that_no_client_may_send_are_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="set by this service"):
        fetch(Internet({}), BytesIO(), headers={"Host": "b.example"})
