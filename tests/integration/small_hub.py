"""A hub that speaks as much of the hub's protocol as a download needs, with one model."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from tests.integration.catalog_made import sha256

REVISION = "a" * 40
FILES = {
    "config.json": b"{}",
    "model.bin": b"weights" * 10_000,
    "tokenizer.json": b'{"version": "1.0"}',
    "vocabulary.txt": b"a\nb\n",
    "README.md": b"# not wanted",
}
LARGE = "model.bin"  # stored with LFS


class SmallHub(BaseHTTPRequestHandler):
    """As much of the hub's protocol as a download needs."""

    address: ClassVar[str]
    files: ClassVar[dict[str, bytes]]
    tokens: ClassVar[set[str | None]]
    fetched: ClassVar[set[str]]
    gated = False

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _route(self) -> None:
        self.tokens.add(self.headers.get("Authorization"))
        if self.path.startswith("/api/models/org/voice/revision/"):
            self._answer(200, json.dumps(self._info()).encode())
            return
        name = self.path.split("?")[0].removeprefix(f"/org/voice/resolve/{REVISION}/")
        if self.gated and "Authorization" not in self.headers:
            self._answer(401, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "gated"})
        elif name in self.files:
            if self.command == "GET":
                self.fetched.add(name)
            content = self.files[name]
            etag = sha256(FILES[name]) if name == LARGE else _blob(FILES[name])
            self._answer(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": REVISION})
        else:
            self._answer(404, b"", {"X-Error-Code": "EntryNotFound"})

    do_GET = do_HEAD = _route  # noqa: N815 - the names are http.server's

    def _info(self) -> dict[str, object]:
        siblings = []
        for name, content in FILES.items():
            entry: dict[str, object] = {
                "rfilename": name,
                "size": len(content),
                "blobId": _blob(content),
            }
            if name == LARGE:
                entry["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 1}
            siblings.append(entry)
        return {"id": "org/voice", "sha": REVISION, "siblings": siblings}

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _blob(content: bytes) -> str:
    return hashlib.sha1(
        f"blob {len(content)}\0".encode() + content, usedforsecurity=False
    ).hexdigest()


@contextmanager
def running_hub() -> Iterator[type[SmallHub]]:
    """Start a hub of its own on a free port."""

    class Fresh(SmallHub):
        files: ClassVar = dict(FILES)
        tokens: ClassVar = set()
        fetched: ClassVar = set()

    with ThreadingHTTPServer(("127.0.0.1", 0), Fresh) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        Fresh.address = f"http://127.0.0.1:{server.server_port}"
        yield Fresh
        server.shutdown()
    thread.join(10)
