"""What the command line makes of answers, also of other programs; and how few it asks for."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import redis

from client.errors import ServiceBusy, ServiceRefused, ServiceUnreachable
from client.exchange import Exchange
from client.following import Follower
from client.patience import Patience
from client.service import Service
from client.submission import Submission
from tests.integration.client_runs import Client, script


@dataclass(slots=True, kw_only=True)
class Stranger:
    """An HTTP server that always answers the same."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    asked: int = 0


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    says = Stranger()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # as the library calls it
            says.asked += 1
            self.send_response(says.status)
            for name, value in says.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(says.body)))
            self.end_headers()
            self.wfile.write(says.body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        says.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield says
        server.shutdown()
        thread.join()


@pytest.fixture
def exchange(stranger: Stranger) -> Iterator[Exchange]:
    opened = Exchange(stranger.url, api_key=None)
    yield opened
    opened.close()


@pytest.fixture
def service(stranger: Stranger) -> Iterator[Service]:
    with Service(stranger.url, patience=Patience(seconds=0)) as opened:
        yield opened


def test_a_page_of_another_program_is_no_job(stranger: Stranger, service: Service) -> None:
    stranger.body = b"<html>welcome</html>"

    for ask in (lambda: service.job("x"), lambda: service.document("/v1/queue")):
        with pytest.raises(ServiceRefused, match="no answer of a Whisperline service"):
            ask()


@pytest.mark.parametrize(
    ("status", "told"),
    [(404, "404: Not Found"), (302, "sends us on to https://elsewhere"), (413, "413")],
)
def test_an_error_of_another_program_is_told_in_its_words(
    stranger: Stranger, exchange: Exchange, status: int, told: str
) -> None:
    stranger.status, stranger.body = status, b"<html>nginx</html>"
    stranger.headers["Location"] = "https://elsewhere"

    with pytest.raises(ServiceRefused, match=told):
        exchange.send("GET", "/")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_later_is_told_with_its_time(stranger: Stranger, exchange: Exchange, status: int) -> None:
    stranger.status = status
    soon = datetime.now(UTC) + timedelta(seconds=100)

    for text, low, high in (("7", 7, 7), (format_datetime(soon, usegmt=True), 90, 101)):
        stranger.headers["Retry-After"] = text
        with pytest.raises(ServiceBusy) as caught:
            exchange.send("GET", "/")
        assert caught.value.retry_after_seconds is not None
        assert low <= caught.value.retry_after_seconds <= high
    for text in ("", "soon", "-5"):
        stranger.headers["Retry-After"] = text
        with pytest.raises(ServiceBusy) as caught:
            exchange.send("GET", "/")
        assert caught.value.retry_after_seconds is None


def test_escape_codes_of_an_answer_do_not_reach_a_terminal(stranger: Stranger) -> None:
    queue = {"name": "\x1b[31mnormal\x07", "depth": 1}
    stranger.body = json.dumps({"queues": [queue]}).encode()

    said = Client(url=stranger.url).on_a_terminal("queue", NO_COLOR="1")

    assert b"[31mnormal" in said
    assert b"\x1b[31m" not in said
    assert b"\x07" not in said


def test_a_key_is_not_asked_for_twice_where_the_answer_got_lost(stranger: Stranger) -> None:
    stranger.headers["Content-Encoding"] = "gzip"  # what comes then cannot be read
    stranger.body = b"no gzip"

    with (
        Service(stranger.url, patience=Patience(seconds=60)) as service,
        pytest.raises((ServiceUnreachable, ServiceRefused)),
    ):
        service.create_key("bob")
    assert stranger.asked == 1


def test_following_many_waiting_jobs_costs_a_handful_of_requests(
    api: httpx.Client, valkey: "redis.Redis", tmp_path: Path
) -> None:
    submission = Submission(path=script(tmp_path / "a.mp3"), options={"priority": "batch"})
    with Service(str(api.base_url), patience=Patience(seconds=60)) as service:
        follower = Follower(service=service, longest_wait_seconds=0)
        for _ in range(60):
            follower.add(service.submit(submission).id)
        asked = _counted(api, lambda: [follower.plan().take() for _ in range(40)])
        seen = {each.job_id for _ in range(40) for each in follower.plan().take()}

    assert asked <= 40 * 6
    assert len(seen) == 60  # and in the end each was looked at


def _counted(api: httpx.Client, work: Callable[[], object]) -> int:
    """Return how many requests some work came to, as the service counts them."""

    def left() -> int:
        return int(api.get("/v1/queue").headers["RateLimit-Remaining"])

    before = left()
    work()
    return before - left() - 1
