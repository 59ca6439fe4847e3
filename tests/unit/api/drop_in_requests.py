"""Send a form to a drop-in route, without a server."""

import hashlib
from typing import Any

from flask import Flask, request

from api.asr_options import AsrFields
from api.drop_in_fields import Asked, DropInFields
from api.receiving import Received
from api.settings import ApiSettings

FILE = "audio_file"
Parts = list[tuple[str, str]]


class Kept:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.content = b""

    @property
    def written_bytes(self) -> int:
        return len(self.content)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def write(self, chunk: bytes | bytearray) -> None:
        self.content += chunk


def body_of(parts: Parts) -> bytes:
    """A form with its parts in this order."""
    lines = ""
    for name, text in parts:
        filename = '; filename="a.wav"' if name == FILE else ""
        lines += f'--x\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n{text}\r\n'
    return f"{lines}--x--\r\n".encode()


def sent(
    query: str = "", parts: Parts | None = None, kind: type[DropInFields] = AsrFields
) -> tuple[Any, Received, bytes]:
    """Send a request; return its fields, what was received, and what was stored."""
    sink, parts = Kept(), parts or []
    if FILE not in dict(parts):
        parts = [*parts, (FILE, "bytes")]
    settings = ApiSettings(openai_whisper1_model="small", allowed_models=("house-model",))
    with Flask(__name__).test_request_context(
        f"/asr?{query}",
        method="POST",
        data=body_of(parts),
        content_type="multipart/form-data; boundary=x",
    ):
        asked = Asked(kind, request, settings)
        received = asked.receive(lambda head: sink)
    return asked.fields, received, sink.content
