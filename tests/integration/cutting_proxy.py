"""A way to storage that can be cut in the middle of an answer."""

import socket
import threading
from contextlib import suppress

_PIECE_BYTES = 16 * 1024


class CuttingProxy:
    """Passes everything on to a loopback port, and on demand only so much of the answers."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.most_bytes: int | None = None  # of each answer stream from now on; None: all
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                for ends in ((client, server), (server, client)):
                    is_answer = ends[0] is server
                    threading.Thread(target=self._pass_on, args=(*ends, is_answer)).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:  # noqa: FBT001
        passed = 0
        with suppress(OSError), source, target:
            while piece := source.recv(_PIECE_BYTES):
                target.sendall(piece)
                passed += len(piece)
                if is_answer and self.most_bytes is not None and passed > self.most_bytes:
                    break
            for end in (source, target):
                end.shutdown(socket.SHUT_RDWR)
