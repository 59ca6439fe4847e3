"""Hold no thread for a client that stopped sending, or stopped reading.

A timeout for each `recv` would not do: a byte every few seconds meets it for ever. So the time that
is spent waiting for a body is added up, and in each stretch of it enough bytes must have come. This
sits in the connection's own socket, below whatever reads the body, so that no view can forget it.
"""

import errno
import logging
import socket
import time
from contextlib import suppress
from dataclasses import dataclass

from jobs.request_errors import UploadStalled

MIN_BYTES_PER_SECOND = 500  # of a body; a modem of 1990 sent more
SEND_BYTES = 64 * 1024  # that a client must take ...
SEND_SECONDS = 60.0  # ... within this: 1 kB/s, whatever the size of the answer
LINGER_SECONDS = 10.0  # in which a client that is still sending may find its answer
LINGER_IDLE_SECONDS = 2.0  # without another byte of it

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Pace:
    """Tells whether a body comes fast enough; only time spent waiting for it counts."""

    window_seconds: float
    waited_seconds: float = 0.0  # in this window
    arrived_bytes: int = 0  # in this window

    @property
    def left_seconds(self) -> float:
        """How long to wait for more before looking again; always above 0."""
        return max(self.window_seconds - self.waited_seconds, 0.001)

    def count(self, arrived_bytes: int, *, seconds: float) -> None:
        """Note what came in how many seconds of waiting.

        Raises:
            UploadStalled: a whole window brought less than MIN_BYTES_PER_SECOND.
        """
        self.waited_seconds += seconds
        self.arrived_bytes += arrived_bytes
        if self.waited_seconds < self.window_seconds:
            return
        if self.arrived_bytes < self.window_seconds * MIN_BYTES_PER_SECOND:
            msg = (
                f"the body came too slowly: less than {MIN_BYTES_PER_SECOND} bytes a second "
                f"over {self.window_seconds:g} s; send the request again"
            )
            raise UploadStalled(msg)
        self.waited_seconds, self.arrived_bytes = 0.0, 0


class PatientSocket(socket.socket):
    """A client's connection whose reads and writes end, one way or the other."""

    _pace = Pace(window_seconds=30.0)
    _owes_continue = False
    _has_lingered = False

    @classmethod
    def of(cls, accepted: socket.socket) -> "PatientSocket":
        """Take over an accepted connection."""
        return cls(fileno=accepted.detach())

    def begin_request(self, *, window_seconds: float, owes_continue: bool) -> None:
        """Expect the body of another request.

        Args:
            window_seconds: see `Pace`.
            owes_continue: the client sends its body only when told to. It is told by the first
                read, so that a request that is refused unread never sends any.
        """
        self._pace = Pace(window_seconds=window_seconds)
        self._owes_continue = owes_continue

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Return the next bytes of a body, b"" at its end.

        Raises:
            UploadStalled: they come too slowly.
        """
        if self._owes_continue:
            self._owes_continue = False
            self.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while True:
            began = time.monotonic()
            self.settimeout(self._pace.left_seconds)
            chunk: bytes | None = None
            with suppress(TimeoutError):
                chunk = super().recv(bufsize, flags)
            if chunk != b"":
                self._pace.count(len(chunk or b""), seconds=time.monotonic() - began)
            if chunk is not None:
                return chunk

    def peek(self, most_bytes: int) -> bytes:
        """Return what has arrived and leave it there; b"" if the client has closed.

        Raises:
            BlockingIOError: nothing is there.
        """
        self.settimeout(0)
        return super().recv(most_bytes, socket.MSG_PEEK)

    def sendall(self, data: bytes, flags: int = 0, /) -> None:  # type: ignore[override]
        """Send everything.

        Raises:
            BrokenPipeError: the client does not read it.
        """
        self._owes_continue = False
        view = memoryview(data)
        # In slices, because the time that Python gives `sendall` is for all of its data.
        for start in range(0, len(view), SEND_BYTES):
            self.settimeout(SEND_SECONDS)
            try:
                super().sendall(view[start : start + SEND_BYTES], flags)
            except TimeoutError as error:
                log.info("cut off a client that does not read its answer")
                raise BrokenPipeError(errno.EPIPE, "the client does not read") from error

    def linger(self) -> None:
        """End the answer, then throw away what still comes, until the client has closed too.

        Closing with unread bytes resets the connection, which can take the answer from a client
        that is still sending (RFC 9112, 9.6).
        """
        if self._has_lingered:
            return
        self._has_lingered = True
        deadline = time.monotonic() + LINGER_SECONDS
        with suppress(OSError):  # TimeoutError among them
            self.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                self.settimeout(min(left, LINGER_IDLE_SECONDS))
                if not super().recv(64 * 1024):
                    return
