"""A job's media comes back as it was sent, whole or in part."""

import json
import random
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import redis

from deploy.local.stack import Stack
from jobs.files import JobFiles
from jobs.media import Media
from jobs.media_reading import CHUNK_BYTES, MediaReader
from jobs.source import UrlSource
from jobs.store import JobStore
from tests.integration.cutting_proxy import CuttingProxy
from tests.integration.second_api import SecondApi
from tests.integration.test_uploads import job_of, sent
from tests.jobs_made import a_job

MEDIA = random.Random(7).randbytes(3_000_000)  # noqa: S311 - the same every time
END = len(MEDIA)


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def path(api: httpx.Client) -> str:
    """Where the media of a job is."""
    return submitted(api)


def submitted(
    api: httpx.Client,
    content: bytes = MEDIA,
    *,
    name: str = "call.wav",
    content_type: str = "audio/wav",
) -> str:
    answer = api.post("/v1/jobs", files={"file": (name, content, content_type)})
    assert answer.status_code == 202, answer.text
    link: str = answer.json()["links"]["media"]
    return link


def test_the_whole_of_it_is_what_was_sent(api: httpx.Client, path: str) -> None:
    answer = api.get(path)

    assert answer.status_code == 200
    assert answer.content == MEDIA
    assert answer.headers["content-length"] == str(END)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["cache-control"] == "private"


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=1000000-2000000", 1_000_000, 2_000_001),
        ("bytes=2999990-", 2_999_990, END),
        ("bytes=2999990-9999999", 2_999_990, END),
        ("bytes=-5", END - 5, END),
        ("bytes=-9999999", 0, END),
        ("Bytes = 10-19", 10, 20),
    ],
)
def test_one_range_is_answered_with_just_that(
    api: httpx.Client, path: str, asked: str, start: int, stop: int
) -> None:
    answer = api.get(path, headers={"Range": asked})

    assert answer.status_code == 206
    assert answer.content == MEDIA[start:stop]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{END}"
    assert answer.headers["content-length"] == str(stop - start)


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-1,5-6", "bytes=5-2", "bytes=a-b", "bytes=", "bytes", "bytes=--5", "lines=0-9", "-"],
)
def test_what_is_no_single_range_is_answered_with_all(
    api: httpx.Client, path: str, asked: str
) -> None:
    answer = api.get(path, headers={"Range": asked})

    assert answer.status_code == 200
    assert answer.content == MEDIA
    assert "content-range" not in answer.headers


@pytest.mark.parametrize("asked", [f"bytes={END}-", "bytes=99999999-", f"bytes={END}-{END + 5}"])
def test_a_range_after_the_end_is_refused(api: httpx.Client, path: str, asked: str) -> None:
    answer = api.get(path, headers={"Range": asked})

    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{END}"
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_range_of_other_bytes_is_answered_with_all(api: httpx.Client, path: str) -> None:
    head = api.head(path).headers

    def status(if_range: str) -> int:
        return api.get(path, headers={"Range": "bytes=0-9", "If-Range": if_range}).status_code

    assert status(head["etag"]) == 206
    assert status('"another"') == 200
    assert status(head["last-modified"]) == 206
    assert status("Sun, 22 Nov 2020 00:00:00 GMT") == 200


def test_who_has_it_already_is_told_so(api: httpx.Client, path: str) -> None:
    head = api.head(path).headers

    def asked(**headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return api.get(path, headers=named)

    assert asked(If_None_Match=head["etag"]).status_code == 304
    assert asked(If_None_Match=head["etag"]).content == b""
    assert asked(If_Modified_Since=head["last-modified"]).status_code == 304
    assert asked(If_None_Match='"another"').status_code == 200
    assert asked(If_None_Match=head["etag"], Range="bytes=0-9").status_code == 304
    assert asked(If_Match='"another"').status_code == 412
    assert asked(If_Match=head["etag"], Range="bytes=0-9").status_code == 206


def test_head_tells_all_and_sends_nothing(api: httpx.Client, path: str) -> None:
    answer = api.head(path, headers={"Range": "bytes=0-9"})

    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(END)
    assert answer.content == b""
    assert api.get(path).headers["etag"] == answer.headers["etag"]  # the connection is in order


@pytest.mark.parametrize(
    ("told", "answered"),
    [
        ("audio/ogg; codecs=opus", "audio/ogg"),
        ("Video/MP4", "video/mp4"),
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("audio/", "application/octet-stream"),
        ("audio/x\ty", "application/octet-stream"),
    ],
)
def test_a_browser_takes_it_for_nothing_but_sound_or_picture(
    api: httpx.Client, told: str, answered: str
) -> None:
    answer = api.get(submitted(api, b"<script>", content_type=told, name='a"ü\n.html'))

    assert answer.headers["content-type"] == answered
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment; ")
    assert "filename*=UTF-8''a%22%C3%BC" in disposition


def test_what_was_not_fetched_yet_is_not_there(api: httpx.Client) -> None:
    source = {"source": {"url": "https://media.example.org/call.wav"}}
    job_id = api.post("/v1/jobs", json=source).json()["id"]

    answer = api.get(f"/v1/jobs/{job_id}/media")

    assert (answer.status_code, answer.json()["code"]) == (409, "media_not_kept")


def test_media_from_an_address_and_from_an_upload_comes_in_parts_too(
    api: httpx.Client, store: JobStore, files: JobFiles, tmp_path: Any
) -> None:
    (tmp_path / "media").write_bytes(MEDIA)
    fetched = a_job().model_copy(
        update={
            "source": UrlSource(type="url", url="https://media.example.org/call.wav"),
            "media": Media(filename="call.wav", bytes=END),
        }
    )
    store.add(fetched)
    files.put_media(fetched, tmp_path / "media", content_type=None)
    with httpx.Client() as storage:
        uploaded = job_of(api, sent(api, storage, MEDIA)).json()["id"]

    for job_id in (fetched.id, uploaded):
        answer = api.get(f"/v1/jobs/{job_id}/media", headers={"Range": "bytes=-10"})
        assert (answer.status_code, answer.content) == (206, MEDIA[-10:])


def test_the_media_of_a_deleted_job_is_gone(api: httpx.Client, path: str) -> None:
    api.delete(path.removesuffix("/media")).raise_for_status()

    assert api.get(path).status_code == 410
    assert api.get("/v1/jobs/job_x/media").status_code == 404


def test_little_of_it_is_in_memory_at_a_time(
    api: httpx.Client, path: str, store: JobStore, files: JobFiles
) -> None:
    reader = MediaReader(files._s3, files._bucket)
    media = reader.find(store.get(path.split("/")[3]))
    stream = reader.open(media, start=1, stop=END)

    pieces = list(stream)

    assert b"".join(pieces) == MEDIA[1:]
    assert max(len(piece) for piece in pieces) <= CHUNK_BYTES <= 1024**2


@pytest.fixture
def cut(
    stack: Stack, start_second_api: Callable[..., SecondApi]
) -> Iterator[tuple[httpx.Client, CuttingProxy]]:
    """An API whose way to storage can be cut."""
    proxy = CuttingProxy(stack.ports.s3)
    second = start_second_api(S3_ENDPOINT_URL=proxy.url)
    with httpx.Client(base_url=second.url, timeout=30) as client:
        yield client, proxy
    proxy.close()


def test_a_body_that_storage_breaks_off_is_never_taken_for_whole(
    cut: tuple[httpx.Client, CuttingProxy],
) -> None:
    api, proxy = cut
    content = MEDIA * 5
    path = submitted(api, content)
    proxy.most_bytes = len(content) // 2

    received = bytearray()

    def read(answer: httpx.Response) -> None:
        for piece in answer.iter_bytes():
            received.extend(piece)

    broken_off = pytest.raises(httpx.RemoteProtocolError, match="without sending complete message")
    with api.stream("GET", path) as answer, broken_off:
        read(answer)

    assert answer.headers["content-length"] == str(len(content))
    assert 0 < len(received) < len(content)
    assert content.startswith(bytes(received))
    proxy.most_bytes = None
    rest = api.get(path, headers={"Range": f"bytes={len(received)}-"})
    assert bytes(received) + rest.content == content
    assert json.loads(api.get("/ready").content)["status"] == "ready"


def test_the_next_answer_is_never_taken_for_the_rest_of_one_that_broke_off(
    cut: tuple[httpx.Client, CuttingProxy],
) -> None:
    api, proxy = cut
    content = MEDIA * 5
    path = submitted(api, content)
    proxy.most_bytes = len(content) // 2
    at = f"{api.base_url.host}:{api.base_url.port}"

    received = bytearray()
    with socket.create_connection((api.base_url.host, api.base_url.port or 80), 30) as connection:
        for asked in (path, "/health"):
            connection.sendall(f"GET {asked} HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
        while piece := connection.recv(64 * 1024):
            received += piece

    _, _, body = bytes(received).partition(b"\r\n\r\n")
    assert 0 < len(body) < len(content)
    assert content.startswith(body)
