import socket
from io import BytesIO
from threading import Event

import pytest

from jobs.errors import FetchBlocked, FetchFailed, SourceUnavailable
from jobs.fetched import Fetched
from jobs.outgoing import Outgoing
from tests.integration.small_internet import HERE as PUBLIC
from tests.integration.small_internet import THERE as OTHER
from tests.integration.small_internet import Internet, Server, redirecting, replying


def fetch(internet: Internet, url: str, **headers: str) -> tuple[Fetched, bytes]:
    """Fetch as the service does for clients it does not trust."""
    outgoing = Outgoing(allow_private_addresses=False, resolve=internet.resolve, backend=internet)
    target = BytesIO()
    fetched = outgoing.fetch(
        url,
        headers,
        target,
        max_bytes=1000,
        timeout_seconds=30,
        on_progress=lambda *_: None,
    )
    return fetched, target.getvalue()


def test_a_request_goes_to_the_address_that_was_checked_under_the_name_it_was_given() -> None:
    with Server(replying(b"abc")) as server:
        internet = Internet({"files.example": [[PUBLIC]]}, {PUBLIC: server})
        _, body = fetch(internet, "http://files.example:8080/a.wav?token=1#x")

    assert body == b"abc"
    assert internet.looked_up == [("files.example", 8080)]
    assert internet.connected == [(PUBLIC, 8080)]
    assert server.asked == ["/a.wav?token=1"]
    assert server.headers[0]["host"] == "files.example:8080"


def test_what_is_sent_says_who_we_are_and_asks_for_nothing_compressed() -> None:
    with Server(replying(b"abc")) as server:
        fetch(Internet({}, {PUBLIC: server}), f"http://{PUBLIC}/", Authorization="Bearer 1")

    assert server.headers == [
        {
            "host": PUBLIC,
            "user-agent": "whisperline",
            "accept-encoding": "identity",
            "connection": "close",
            "authorization": "Bearer 1",
        }
    ]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "169.254.169.254",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "2130706433",
        "0177.0.0.1",
        "0x7f.1",
        "127.1",
        "0",
        "metadata.google.internal",
    ],
)
def test_an_address_inside_is_refused_without_a_look_up_or_a_packet(host: str) -> None:
    internet = Internet({host: [["8.8.8.8"]]})
    with pytest.raises(FetchBlocked):
        fetch(internet, f"http://{host}/a?token=s3cret")

    assert internet.looked_up == []
    assert internet.connected == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:10.0.0.1"],
        ["fe80::1%eth0"],
        [PUBLIC, "10.1.2.3"],
        ["10.1.2.3", PUBLIC],
    ],
)
def test_a_name_with_an_address_inside_is_refused_and_the_address_stays_secret(
    addresses: list[str],
) -> None:
    internet = Internet({"intranet.example": [addresses]})
    with pytest.raises(FetchBlocked, match="ALLOW_PRIVATE_ADDRESSES") as refusal:
        fetch(internet, "http://intranet.example/a?token=s3cret")

    assert internet.connected == []
    assert not any(address in refusal.value.message for address in [*addresses, "s3cret"])


def test_localhost_is_refused_with_the_system_s_own_resolver() -> None:
    with Server(replying(b"abc")) as server, pytest.raises(FetchBlocked):
        Outgoing(allow_private_addresses=False).request(
            "POST",
            f"http://localhost:{server.port}/",
            {},
            b"",
            timeout_seconds=30,
            max_answer_bytes=10,
        )

    assert server.asked == []


def test_an_answer_that_changes_after_the_check_changes_nothing() -> None:
    with Server(replying(b"abc")) as server:
        internet = Internet({"rebind.example": [[PUBLIC], ["127.0.0.1"]]}, {PUBLIC: server})
        _, body = fetch(internet, "http://rebind.example/")

    assert body == b"abc"
    assert internet.looked_up == [("rebind.example", 80)]
    assert internet.connected == [(PUBLIC, 80)]


def test_a_name_that_turns_private_by_the_next_redirect_is_refused() -> None:
    with Server(redirecting("/again")) as server:
        internet = Internet({"rebind.example": [[PUBLIC], ["127.0.0.1"]]}, {PUBLIC: server})
        with pytest.raises(FetchBlocked):
            fetch(internet, "http://rebind.example/")

    assert internet.looked_up == [("rebind.example", 80)] * 2
    assert internet.connected == [(PUBLIC, 80)]


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "//[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://intranet.example/",
        "http://metadata.google.internal/",
        "file:///etc/passwd",
        "gopher://files.example/",
        "http://user:s3cret@files.example/",
        "/\\127.0.0.1/",
    ],
)
def test_a_redirect_inside_is_refused(location: str) -> None:
    with Server(redirecting(location)) as server:
        internet = Internet(
            {"files.example": [[PUBLIC]], "intranet.example": [["10.1.2.3"]]}, {PUBLIC: server}
        )
        with pytest.raises(FetchBlocked) as refusal:
            fetch(internet, "http://files.example/")

    assert internet.connected == [(PUBLIC, 80)]
    assert "s3cret" not in refusal.value.message


def test_the_next_address_of_a_name_is_tried_when_one_does_not_answer() -> None:
    with Server(replying(b"abc")) as server:
        internet = Internet({"files.example": [[OTHER, OTHER, PUBLIC]]}, {PUBLIC: server})
        _, body = fetch(internet, "http://files.example/")

    assert body == b"abc"
    assert internet.connected == [(OTHER, 80), (PUBLIC, 80)]


def test_a_host_that_takes_no_connection_may_do_so_later() -> None:
    internet = Internet({"files.example": [[f"93.184.216.{n}" for n in range(100)]]})
    with pytest.raises(SourceUnavailable, match=r"files\.example does not take connections"):
        fetch(internet, "http://files.example/a?token=s3cret")

    assert len(internet.connected) == 4


@pytest.mark.parametrize("answer", [socket.gaierror(socket.EAI_NONAME, "x"), []])
def test_a_name_that_does_not_exist_is_final(answer: list[str] | Exception) -> None:
    with pytest.raises(FetchFailed, match=r"no host named gone\.example"):
        fetch(Internet({"gone.example": [answer]}), "http://gone.example/")


@pytest.mark.parametrize(
    "fault", [socket.gaierror(socket.EAI_AGAIN, "x"), TimeoutError("x"), OSError("x")]
)
def test_a_look_up_that_does_not_work_may_do_so_later(fault: Exception) -> None:
    with pytest.raises(SourceUnavailable, match="could not be looked up"):
        fetch(Internet({"files.example": [fault]}), "http://files.example/")


def test_a_look_up_ends_with_the_deadline() -> None:
    over = Event()

    def never(_host: str, _port: int) -> list[str]:
        over.wait(60)
        return []

    outgoing = Outgoing(allow_private_addresses=False, resolve=never, backend=Internet({}))
    with pytest.raises(SourceUnavailable, match="looked up in time"):
        outgoing.request(
            "POST", "http://a.example/", {}, b"", timeout_seconds=0.1, max_answer_bytes=1
        )
    over.set()


def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Server(replying(b"abc")) as server:
        internet = Internet({}, {PUBLIC: server})
        fetch(internet, f"http://{PUBLIC}/")

    assert internet.connected == [(PUBLIC, 80)]


def test_private_addresses_are_called_where_the_operator_allows_it() -> None:
    with Server(replying(b"thanks", status=202, Retry_After="7")) as server:
        answer = Outgoing(allow_private_addresses=True).request(
            "POST",
            f"http://localhost:{server.port}/hook",
            {"webhook-id": "msg_1"},
            b"{}",
            timeout_seconds=30,
            max_answer_bytes=4,
        )

    assert (answer.status, answer.body, answer.headers["retry-after"]) == (202, b"than", "7")
    assert server.bodies == [b"{}"]
    assert server.headers[0]["webhook-id"] == "msg_1"
