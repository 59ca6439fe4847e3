from http.server import BaseHTTPRequestHandler
from io import BytesIO

import pytest

from jobs.errors import FetchBlocked, FetchFailed
from jobs.outgoing import MAX_REDIRECTS
from tests.integration.small_internet import (
    HERE,
    THERE,
    Internet,
    Reply,
    Server,
    fetch,
    redirecting,
    replying,
)


def to_the_end(*, redirects: int, status: int = 302) -> Reply:
    """Redirect a number of times, from /n to /n+1, then send the media."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        hop = int(handler.path.strip("/"))
        send = replying(b"abc") if hop == redirects else redirecting(f"/{hop + 1}", status=status)
        send(handler)

    return reply


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_and_name_the_media(status: int) -> None:
    with Server(to_the_end(redirects=MAX_REDIRECTS, status=status)) as server:
        fetched = fetch(
            Internet({}, {HERE: server}),
            BytesIO(),
            url=f"http://{HERE}/0",
            headers={"Authorization": "Bearer 1"},
        )

    assert fetched.filename == str(MAX_REDIRECTS)
    assert [sent["authorization"] for sent in server.headers] == ["Bearer 1"] * 6


def test_one_redirect_more_is_too_many() -> None:
    with (
        Server(to_the_end(redirects=MAX_REDIRECTS + 1)) as server,
        pytest.raises(FetchFailed, match="more than 5 times"),
    ):
        fetch(Internet({}, {HERE: server}), BytesIO(), url=f"http://{HERE}/0")

    assert len(server.asked) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "elsewhere", [f"http://{THERE}/b", f"http://{HERE}:81/b", "http://files.example/b"]
)
def test_a_client_s_headers_end_where_its_origin_ends(elsewhere: str) -> None:
    def there(handler: BaseHTTPRequestHandler) -> None:
        onward = {"/b": redirecting(f"http://{HERE}/back")}
        onward.get(handler.path, replying(b"abc"))(handler)

    def here(handler: BaseHTTPRequestHandler) -> None:
        onward = {"/b": redirecting(f"http://{HERE}/back"), "/back": replying(b"abc")}
        onward.get(handler.path, redirecting(elsewhere))(handler)

    with Server(here) as first, Server(there) as second:
        internet = Internet({"files.example": [[THERE]]}, {HERE: first, THERE: second})
        fetch(internet, BytesIO(), headers={"Authorization": "Bearer s3cret", "Cookie": "a=b"})

    asked = [*first.asked, *second.asked]
    secrets = [sent.get("authorization") for sent in (*first.headers, *second.headers)]
    assert sorted(asked) == ["/a.wav?token=s3cret", "/b", "/back"]
    assert secrets.count("Bearer s3cret") == 1
    assert first.headers[0]["cookie"] == "a=b"
    assert "cookie" not in first.headers[-1]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (replying(status=302), FetchFailed),
        (redirecting("http://\xff\xfe\x85/"), FetchFailed),
        (redirecting("/a b"), FetchBlocked),
    ],
)
def test_a_redirect_to_nowhere_is_final(reply: Reply, error: type[Exception]) -> None:
    with Server(reply) as server, pytest.raises(error, match="redirects"):
        fetch(Internet({}, {HERE: server}), BytesIO())

    assert len(server.asked) == 1
