"""Give a thread only to who has sent a whole request head, and take it back from who stalls.

gunicorn's own worker hands a connection to a thread at its first byte, waits there for the rest of
the head without an end, accepts connections that no thread is free for, and closes them in its main
loop, where one client that is slow to close holds up all others for two seconds.
"""

import errno
import selectors
import socket
import time
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

from gunicorn import util
from gunicorn.http.body import Body, ChunkedReader
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import TConn, ThreadWorker

from api.refusals import refusal_of
from api.stalls import PatientSocket

HEAD_BYTES = 32 * 1024  # of a request line and its headers together
LINE_BYTES = 8190  # of a request line; the most that gunicorn allows
HEAD_SECONDS = 20.0  # from its first byte, or from the connection's beginning, to its last
IDLE_CONNECTIONS = 1024  # per process, beyond the threads: incomplete heads and kept-alive ones
_PAUSE_SECONDS = 0.5  # before accepting again when the process is out of descriptors

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def is_decided(head: bytes) -> bool:
    """Whether gunicorn's parser reaches a verdict on these bytes without waiting for more."""
    head = head.removeprefix(b"\r\n")  # one empty line may come first
    is_bare = head.count(b"\n") != head.count(b"\r\n")  # refused wherever it stands
    return is_bare or head.startswith(b"\r\n") or b"\r\n\r\n" in head


def is_read(body: Body) -> bool:
    """Whether nothing of a request's body is left on the connection."""
    if body.failed:
        return False
    if isinstance(body.reader, ChunkedReader):
        return body.reader.parser is None
    return cast(bool, body.reader.length == 0)


class Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """A client's connection; its head is looked at in the main loop, where it holds no thread."""

    def __init__(self, *accepted: Any) -> None:
        super().__init__(*accepted)
        self.data_ready = True  # a thread never waits for a first byte
        self.refusal: ParseException | None = None
        self._seen_bytes = 0  # of a head that was not complete at the last look

    def has_head(self) -> bool:
        """Whether a thread can answer now; else the socket turns readable when more has come."""
        try:
            arrived = self.sock.peek(HEAD_BYTES + 1)
        except BlockingIOError:
            arrived = None
        except OSError:
            arrived = b""  # the thread will meet it again
        read_ahead = self.parser.unreader.buf.getvalue() if self.parser else b""
        head = read_ahead + (arrived or b"")
        if len(head) > HEAD_BYTES and not is_decided(head):
            self.refusal = _refusal_of_large(head)
        # Readable without a new byte: the client has closed its side in the middle.
        is_over = arrived is not None and len(arrived) <= self._seen_bytes
        is_ready = is_over or self.refusal is not None or is_decided(head)
        self._seen_bytes = 0 if is_ready else len(arrived or b"")
        # The bytes stay where they are, so only a byte more may wake the main loop.
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, self._seen_bytes + 1)
        return is_ready

    def has_unread_body(self) -> bool:
        """Whether the client may still be sending what nobody will read."""
        request = self.parser.mesg if self.parser else None
        return request is not None and not is_read(request.body)

    def close(self, *, graceful: bool = False) -> None:
        """Close at once; what there is to wait for, the connection's thread has waited for."""
        util.close(self.sock)


class HttpServer(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """One process that answers HTTP."""

    upload_stall_seconds = 30.0  # see `stalls.Pace`
    wsgi: App

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.max_keepalived = IDLE_CONNECTIONS // 2
        # No new client gets the last threads: they are for those that are here already and idle.
        self._most_busy = self.cfg.threads - self.cfg.threads // 12
        self._paused_until = 0.0

    # -- which connections there are ----------------------------------------------------------

    def accept(self, listener: Any) -> None:
        """Accept a connection; out of descriptors, pause instead of dying of it."""
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self.log.warning("out of file descriptors: raise the limit (ulimit -n)")
                self._paused_until = time.monotonic() + _PAUSE_SECONDS
                self.set_accept_enabled(enabled=False)
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                raise
            return
        _notice_the_vanished(accepted)
        client = PatientSocket.of(accepted)
        self.nr_conns += 1
        self.enqueue_req(Connection(self.cfg, client, address, listener.getsockname()))
        if self.nr_conns >= self.worker_connections and self.pending_conns:
            self._drop_oldest_head()
        self.set_accept_enabled(enabled=True)

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001 (gunicorn's signature)
        """Accept only what a thread is free for: another process may have one."""
        super().set_accept_enabled(enabled and self._has_room())

    def _has_room(self) -> bool:
        busy = self.nr_conns - len(self.keepalived_conns) - len(self.pending_conns)
        return busy < self._most_busy and time.monotonic() >= self._paused_until

    def _drop_oldest_head(self) -> None:
        oldest = self.pending_conns.popleft()
        self.poller.unregister(oldest.sock)
        self.nr_conns -= 1
        oldest.close()

    # -- from a first byte to a thread --------------------------------------------------------

    def enqueue_req(self, conn: Connection) -> None:
        """Give the connection a thread when its head is there."""
        if conn.has_head():
            super().enqueue_req(conn)
            return
        conn.sock.settimeout(0)
        # `murder_pending` closes it then. Less where uploads get less.
        conn.timeout = time.monotonic() + min(HEAD_SECONDS, self.upload_stall_seconds)
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, readable)

    def on_pending_socket_readable(self, conn: Connection, client: PatientSocket) -> None:
        """Look at a head again, of which more has come."""
        if conn.has_head():
            self.poller.unregister(client)
            self.pending_conns.remove(conn)
            super().enqueue_req(conn)

    # -- in a thread --------------------------------------------------------------------------

    def handle(self, conn: Connection) -> Any:
        """Answer one request; whether the connection is kept."""
        if conn.refusal is not None:
            self.handle_error(None, conn.sock, conn.client, conn.refusal)
            return False
        is_kept = super().handle(conn)
        if not is_kept and conn.has_unread_body():
            conn.sock.linger()
        return is_kept

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Answer one request whose head is read."""
        conn.sock.begin_request(
            window_seconds=self.upload_stall_seconds, owes_continue=req._expected_100_continue
        )
        req._expected_100_continue = False  # gunicorn would say so before anyone wants the body
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: Connection, keepalive: Any) -> bool:
        # gunicorn would read on for 5 s, which a byte every now and then makes hours.
        return bool(keepalive) and not conn.has_unread_body()

    def load_wsgi(self) -> None:
        """Load the app."""
        super().load_wsgi()
        self.wsgi = announcing_close(self.wsgi)

    def handle_error(self, req: Any, client: PatientSocket, addr: Any, exc: Exception) -> None:
        """Answer what never reached the app, or what fell through it."""
        refusal = refusal_of(exc)
        if refusal.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            where = quote(f"{req.method} {req.path}", safe="/ ") if req else "a request"
            self.log.error("error at %s", where, exc_info=exc)
        else:  # never the error's own words: they quote headers
            self.log.warning("refused %s: %d %s", addr[0], refusal.status, refusal.code)
        try:
            refusal.send(client)
        except OSError:
            return
        client.linger()


def announcing_close(app: App) -> App:
    """Return the app, saying `Connection: close` where it answers before the body is read.

    gunicorn drops this header when an app sets it.
    """

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(*head: Any) -> Any:
            if not is_read(environ["wsgi.input"]):
                start_response.__self__.force_close()  # type: ignore[attr-defined]
            return start_response(*head)

        return app(environ, start)

    return answer


def _refusal_of_large(head: bytes) -> ParseException:
    if b"\r\n" not in head[: LINE_BYTES + 2]:
        return LimitRequestLine(len(head), LINE_BYTES)
    return LimitRequestHeaders("too large")


def _notice_the_vanished(client: socket.socket) -> None:
    """Have the kernel end connections whose other end is gone without a word."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)  # seconds
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)  # milliseconds
