"""A way to a server that can be closed, or made to take everything and answer nothing."""

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

_PIECE_BYTES = 64 * 1024


class FreezingProxy:
    """Passes everything on to a server on loopback, until it is told otherwise.

    While frozen it accepts connections and keeps what comes by them; thawed, it passes that on, as
    a server does that was stopped and goes on (SIGSTOP, SIGCONT).
    """

    def __init__(self, url: str) -> None:
        """Stand before the server of this URL, at `url`."""
        found = urlsplit(url)
        assert found.hostname is not None
        assert found.port is not None
        self._target = (found.hostname, found.port)
        self._thawed = threading.Event()
        self._thawed.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = self._listen(0)
        self._port = self._listener.getsockname()[1]
        self.url = url.replace(f":{found.port}", f":{self._port}")

    def freeze(self) -> None:
        """Accept and say nothing from now on."""
        self._thawed.clear()

    def refuse(self) -> None:
        """Break every connection and accept none, as a server does that was stopped."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._listener.close()
        self._cut()

    def pass_on(self) -> None:
        """Be as at first."""
        if self._listener.fileno() < 0:
            self._listener = self._listen(self._port)
        self._thawed.set()

    def close(self) -> None:
        """End."""
        self._thawed.set()
        self.refuse()

    def _cut(self) -> None:
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target)
        except OSError:  # the server itself is away
            client.close()
            return
        with self._lock:
            self._open |= {client, server}
        for ends in ((client, server), (server, client)):
            threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError), source, target:
            while piece := source.recv(_PIECE_BYTES):
                self._thawed.wait()
                target.sendall(piece)
            for end in (source, target):
                end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open -= {source, target}
