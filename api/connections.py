"""Know of clients that wait: how many there are, when one goes away, how to cut one off."""

import logging
import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from jobs.request_errors import TooManyWaiting

log = logging.getLogger(__name__)


class Slots:
    """So many may do at once what holds a thread for long; the rest is refused, not queued."""

    def __init__(self, limit: int) -> None:
        self._free = threading.BoundedSemaphore(limit)

    def take(self) -> ExitStack:
        """Take a place; leaving the returned context, or its `close()`, gives it back, once.

        The place is taken at the call, so a streaming view can refuse before its answer begins and
        hand the end of it to `Response.call_on_close(place.close)`.

        Raises:
            TooManyWaiting: all are taken.
        """
        if not self._free.acquire(blocking=False):
            msg = "too many clients are being served at length; try again in a moment"
            raise TooManyWaiting(msg)
        place = ExitStack()
        place.callback(self._free.release)
        return place


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watch:
    gone: threading.Event
    on_gone: Callable[[], None]


def _nothing() -> None:
    pass


class HangUps:
    """Tells waiting threads that their client went away: one epoll and one thread for all.

    A client that closes only its sending side counts as gone, as with most servers; one that sends
    its next request ahead does not. Without epoll (macOS) nobody is ever seen to go.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watches: dict[int, _Watch] = {}  # by our own descriptor of the connection
        self._epoll: Any = None  # made by the first watch: neither it nor its thread may be forked

    @contextmanager
    def watch(
        self, client: socket.socket | None, *, on_gone: Callable[[], None] = _nothing
    ) -> Iterator[threading.Event]:
        """Yield an event that is set as soon as the client is gone.

        Args:
            client: `environ.get("gunicorn.socket")`; None, as without a server, never goes.
            on_gone: called in the watching thread, at most once, after the event is set. It must
                not block, and may still be running while the block is being left.
        """
        gone = threading.Event()
        fd = self._register(client, _Watch(gone=gone, on_gone=on_gone))
        try:
            yield gone
        finally:
            if fd is not None:
                self._forget(fd)

    def _register(self, client: socket.socket | None, watch: _Watch) -> int | None:
        if client is None or not hasattr(select, "epoll"):
            return None
        try:
            # A descriptor of our own stays this connection's, whatever gunicorn closes meanwhile.
            fd = os.dup(client.fileno())
        except OSError as error:
            log.warning("cannot watch a client: %s", error)
            return None
        with self._lock:
            if self._epoll is None:
                self._epoll = select.epoll()
                threading.Thread(target=self._listen, name="hang-ups", daemon=True).start()
            self._watches[fd] = watch
            # Once, because a hang-up lasts; and never for bytes, so it does not wake for those.
            self._epoll.register(fd, select.EPOLLRDHUP | select.EPOLLONESHOT)
        return fd

    def _forget(self, fd: int) -> None:
        with self._lock:
            del self._watches[fd]
            self._epoll.unregister(fd)
            os.close(fd)

    def _listen(self) -> None:
        while True:
            for fd, _ in self._epoll.poll():
                watch = self._hung_up(fd)
                if watch is None:
                    continue
                watch.gone.set()
                try:
                    watch.on_gone()
                except Exception:
                    log.exception("a callback for hang-ups failed")

    def _hung_up(self, fd: int) -> _Watch | None:
        """Return the watch of a connection that did hang up.

        Asked again, because between the event and now the descriptor may have become another's.
        """
        with self._lock:
            watch = self._watches.get(fd)
            if watch is None:
                return None
            now = select.poll()
            now.register(fd, select.POLLRDHUP)
            return watch if now.poll(0) else None


hang_ups = HangUps()  # of this process


def abort(environ: dict[str, Any]) -> None:
    """Break an answer off so that its client does not take it for complete.

    What was sent before still arrives. Afterwards the answer's iterator just ends: gunicorn meets a
    broken pipe where it would write the final chunk, and keeps quiet about it; an exception from
    the iterator would leave a traceback in the log.
    """
    client: socket.socket | None = environ.get("gunicorn.socket")
    if client is None:
        return
    with suppress(OSError):  # it went away by itself
        if environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
            # There the end of the connection is the end of the answer; only a reset is an error.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            client.shutdown(socket.SHUT_RDWR)
