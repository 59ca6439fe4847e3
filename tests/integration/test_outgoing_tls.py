import shutil
import ssl
import subprocess
from io import BytesIO
from pathlib import Path
from threading import Event

import httpcore
import pytest

from jobs.errors import FetchBlocked, FetchFailed, SourceUnavailable
from jobs.fetched import Progress
from jobs.outgoing import Outgoing
from tests.integration.small_internet import HERE, Internet, Server, raw, redirecting, replying


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of files.example and its key, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    named = "-subj /CN=files.example -addext subjectAltName=DNS:files.example"
    written = ["-keyout", str(folder / "key"), "-out", str(folder / "certificate")]
    subprocess.run(
        [openssl, *made.split(), *named.split(), *written], check=True, capture_output=True
    )
    both = folder / "both.pem"
    both.write_bytes((folder / "key").read_bytes() + (folder / "certificate").read_bytes())
    return both


@pytest.fixture
def serving(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


def fetch(
    internet: Internet,
    url: str,
    trusting: ssl.SSLContext | None = None,
    *,
    timeout_seconds: float = 30,
    on_progress: Progress = lambda *_: None,
) -> bytes:
    outgoing = Outgoing(
        allow_private_addresses=False,
        resolve=internet.resolve,
        backend=internet,
        ssl_context=trusting,
    )
    target = BytesIO()
    outgoing.fetch(
        url,
        {},
        target,
        max_bytes=1000,
        timeout_seconds=timeout_seconds,
        on_progress=on_progress,
    )
    return target.getvalue()


def test_tls_asks_for_the_name_on_the_address_that_was_checked(
    serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    with Server(replying(b"abc"), tls=serving) as server:
        internet = Internet({"files.example": [[HERE], ["127.0.0.1"]]}, {HERE: server})
        body = fetch(internet, "https://files.example/a.wav", trusting)

    assert body == b"abc"
    assert internet.connected == [(HERE, 443)]
    assert internet.greeted == ["files.example"]
    assert internet.looked_up == [("files.example", 443)]
    assert server.headers[0]["host"] == "files.example"


def test_a_certificate_of_another_name_is_final(
    serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    with Server(replying(b"abc"), tls=serving) as server:
        internet = Internet({"other.example": [[HERE]]}, {HERE: server})
        with pytest.raises(FetchFailed, match=r"certificate of other\.example"):
            fetch(internet, "https://other.example/", trusting)

    assert server.asked == []


def test_a_certificate_of_nobody_we_trust_is_final(serving: ssl.SSLContext) -> None:
    with Server(replying(b"abc"), tls=serving) as server:
        internet = Internet({"files.example": [[HERE]]}, {HERE: server})
        with pytest.raises(FetchFailed, match=r"certificate of files\.example"):
            fetch(internet, "https://files.example/", httpcore.default_ssl_context())

    assert server.asked == []


def test_a_server_without_tls_is_greeted_by_name_and_given_up() -> None:
    with Server(replying(b"abc")) as server:
        internet = Internet({"files.example": [[HERE]]}, {HERE: server})
        with pytest.raises(SourceUnavailable):
            fetch(internet, "https://files.example/", timeout_seconds=0.5)

    assert internet.greeted == ["files.example"]


def test_a_pause_under_tls_loses_no_byte(serving: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    half, ticks = Event(), []

    def tick(received: int, _total: int | None) -> None:
        ticks.append(received)
        if ticks.count(3) == 2:  # asked again while nothing came
            half.set()

    reply = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc", b"def", until=half)
    with Server(reply, tls=serving) as server:
        internet = Internet({"files.example": [[HERE]]}, {HERE: server})
        body = fetch(internet, "https://files.example/", trusting, on_progress=tick)

    assert body == b"abcdef"


def test_a_redirect_from_https_to_http_is_refused(
    serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    with Server(redirecting("http://files.example/"), tls=serving) as server:
        internet = Internet({"files.example": [[HERE]]}, {HERE: server})
        with pytest.raises(FetchBlocked, match="from https to http"):
            fetch(internet, "https://files.example/", trusting)

    assert internet.connected == [(HERE, 443)]
