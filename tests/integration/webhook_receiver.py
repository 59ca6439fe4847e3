"""Receive webhooks as a stranger would: with nothing but the library of Standard Webhooks."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True, slots=True)
class Received:
    """One call."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    def verified(self, secret: str) -> Any:
        """Return what the body says; raises WebhookVerificationError."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """What a receiver answers."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    waits_for: threading.Event | None = None  # before it answers


@dataclass(slots=True)
class Receiver:
    """A server on this machine, and what it was sent."""

    url: str
    calls: list[Received] = field(default_factory=list)
    says: Callable[[int], Says] = field(default=lambda number: Says())  # by the number of the call
    came: threading.Condition = field(default_factory=threading.Condition)

    @property
    def ids(self) -> list[str]:
        """The webhook-ids that came, in their order."""
        return [call.headers["webhook-id"] for call in self.calls]

    def wait_for(self, count: int, *, seconds: float = 60) -> list[Received]:
        """Wait until so many calls came."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.calls) >= count, timeout=seconds), self.calls
            return list(self.calls)


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """Listen on a port of this machine; 0: on a free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with receiver.came:
                receiver.calls.append(Received(self.path, headers, body))
                number = len(receiver.calls)
                receiver.came.notify_all()
            answer = receiver.says(number)
            if answer.waits_for is not None:
                answer.waits_for.wait(60)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A courier that was killed, or whose patience is over, has hung up."""

    server = Server(("127.0.0.1", port), Handler)
    receiver = Receiver(url=f"http://127.0.0.1:{server.server_address[1]}/hook")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
