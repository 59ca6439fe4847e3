"""A small internet on loopback: names, public addresses, and servers that do as the test says."""

import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Event, Thread
from types import TracebackType
from typing import Any

import httpcore

from jobs.fetched import Fetched, Progress
from jobs.outgoing import Outgoing

HERE, THERE = "93.184.216.34", "93.184.216.35"  # public, and never really called
MAX_BYTES = 200_000

Reply = Callable[[BaseHTTPRequestHandler], None]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whom we hang up on may complain to nobody."""


class Server(AbstractContextManager["Server"]):
    """A real HTTP server on a free loopback port; keeps what it was asked."""

    def __init__(self, reply: Reply, *, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[str] = []  # paths with queries, in order
        self.headers: list[dict[str, str]] = []  # names in lower case
        self.bodies: list[bytes] = []
        asked = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                asked.asked.append(self.path)
                asked.headers.append({name.lower(): text for name, text in self.headers.items()})
                asked.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                reply(self)

            do_GET = do_POST = answer  # noqa: N815 - http.server's names

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class Internet(httpcore.NetworkBackend):
    """Connects public addresses to servers on loopback and every other address to nothing.

    What is not in `servers` is only recorded: no packet leaves for it.
    """

    names: dict[str, list[Sequence[str] | Exception]]  # answers in turn; the last one stays
    servers: dict[str, Server] = field(default_factory=dict)  # by IP address
    looked_up: list[tuple[str, int]] = field(default_factory=list)
    connected: list[tuple[str, int]] = field(default_factory=list)
    greeted: list[str | None] = field(default_factory=list)  # names in TLS handshakes

    def resolve(self, host: str, port: int) -> Sequence[str]:
        self.looked_up.append((host, port))
        answers = self.names.get(host, [socket.gaierror(socket.EAI_NONAME, "not known")])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        self.connected.append((host, port))
        if host not in self.servers:
            msg = "nobody lives there"
            raise httpcore.ConnectError(msg)
        real = httpcore.SyncBackend().connect_tcp("127.0.0.1", self.servers[host].port, timeout)
        return _Greeting(real, self.greeted)


class _Greeting(httpcore.NetworkStream):
    """Writes down the name in a TLS handshake."""

    def __init__(self, inner: httpcore.NetworkStream, greeted: list[str | None]) -> None:
        self._greeted = greeted
        self._inner = inner
        self.read = inner.read  # type: ignore[method-assign] # all else is the connection's own
        self.write = inner.write  # type: ignore[method-assign]
        self.close = inner.close  # type: ignore[method-assign]
        self.get_extra_info = inner.get_extra_info  # type: ignore[method-assign]

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        self._greeted.append(server_hostname)
        return self._inner.start_tls(ssl_context, server_hostname, timeout)


def replying(body: bytes = b"", *, status: int = 200, **headers: str) -> Reply:
    """Answer with a body and its length; `Content_Type="a/b"` sends the header Content-Type."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return reply


def redirecting(to: str, *, status: int = 302) -> Reply:
    """Send on to another address."""
    return replying(status=status, Location=to)


def raw(*pieces: bytes, until: Event | None = None) -> Reply:
    """Reply with bytes as they are; wait for an event before the last of them."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"".join(pieces[:-1]))
        if until is not None:
            until.wait(60)
        handler.wfile.write(pieces[-1])

    return reply


def endless(head: bytes, *, piece: bytes, pause_seconds: float = 0) -> Reply:
    """Reply with a head and then the same piece until the client hangs up."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)
        while True:
            handler.wfile.write(piece)
            Event().wait(pause_seconds)

    return reply


def fetch(
    internet: Internet,
    target: BytesIO,
    *,
    url: str = f"http://{HERE}/a.wav?token=s3cret",
    headers: dict[str, str] | None = None,
    timeout_seconds: float = 30,
    on_progress: Progress = lambda *_: None,
) -> Fetched:
    """Fetch as the service does for clients it does not trust."""
    outgoing = Outgoing(allow_private_addresses=False, resolve=internet.resolve, backend=internet)
    return outgoing.fetch(
        url,
        headers or {},
        target,
        max_bytes=MAX_BYTES,
        timeout_seconds=timeout_seconds,
        on_progress=on_progress,
    )
