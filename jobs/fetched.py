"""Keep what an address sends: its bytes, counted and cut at the limit, and its name."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from email.utils import collapse_rfc2231_value
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import unquote

import httpcore

from jobs.addresses import Target
from jobs.errors import FetchedTooLarge, FetchFailed, SourceUnavailable
from jobs.shown_name import shown_name

MAX_CONTENT_TYPE_CHARACTERS = 200

# The answers below 500 that say "later": request timeout, too early, too many requests.
_LATER = frozenset({408, 425, 429})
_WHOLE = frozenset({HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION})

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all if the server says


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What was read from an address."""

    bytes: int
    sha256: str  # hexadecimal
    filename: str  # as the server says, or the address; only ever shown, never opened
    content_type: str | None  # as the server says; not to be believed


@dataclass(slots=True, kw_only=True)
class Receiver:
    """Writes a body where it belongs and knows how far it is."""

    target: BinaryIO
    max_bytes: int
    on_progress: Progress
    received_bytes: int = field(default=0, init=False)
    total_bytes: int | None = field(default=None, init=False)  # None: not known (yet)
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256, init=False)

    def report(self) -> None:
        """Tell how many bytes there are; whatever `on_progress` raises ends the fetch."""
        self.on_progress(self.received_bytes, self.total_bytes)

    def receive(self, response: httpcore.Response, source: Target) -> Fetched:
        """Read an answer to its end.

        Raises:
            FetchFailed: the answer is no media: an error, or compressed for the way.
            FetchedTooLarge: more than `max_bytes`; not one byte above them was written.
            SourceUnavailable: the answer says to come again later.
        """
        headers = headers_of(response)
        _check_status(response.status, source)
        _check_encoding(headers, source)
        self.total_bytes = _announced_bytes(headers)
        if self.total_bytes is not None:
            self._check_size(self.total_bytes)
        for chunk in response.iter_stream():
            self._check_size(self.received_bytes + len(chunk))
            self.target.write(chunk)
            self._hash.update(chunk)
            self.received_bytes += len(chunk)
        self.report()
        return Fetched(
            bytes=self.received_bytes,
            sha256=self._hash.hexdigest(),
            filename=_filename(headers, source),
            content_type=_content_type(headers),
        )

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self.max_bytes:
            msg = f"the media at this address is larger than {self.max_bytes} bytes"
            raise FetchedTooLarge(msg)


def headers_of(response: httpcore.Response) -> dict[str, str]:
    """Return an answer's headers, names in lower case; of repeated ones all, with commas."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("ascii").lower(), _text(raw_value)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")  # beyond the standard, but what servers send
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _check_status(status: int, source: Target) -> None:
    if status in _WHOLE:
        return
    answered = f"{source.host} answered {status}"
    if status in HTTPStatus.__members__.values():  # our words for it: theirs may hold anything
        answered = f"{answered} {HTTPStatus(status).phrase}"
    if status in _LATER or status >= 500:
        raise SourceUnavailable(answered)
    raise FetchFailed(answered)


def _check_encoding(headers: dict[str, str], source: Target) -> None:
    codings = {coding.strip().lower() for coding in headers.get("content-encoding", "").split(",")}
    if codings - {"", "identity"}:
        msg = (
            f"{source.host} sends the media compressed (Content-Encoding), though this service "
            "asks for it as it is: small bytes may unfold to endless ones"
        )
        raise FetchFailed(msg)


def _announced_bytes(headers: dict[str, str]) -> int | None:
    # Chunks win over a length beside them (RFC 9112, 6.3); h11 has checked that it is a number.
    if "transfer-encoding" in headers or "content-length" not in headers:
        return None
    return int(headers["content-length"].partition(",")[0])


def _content_type(headers: dict[str, str]) -> str | None:
    said = headers.get("content-type", "")
    return said if said.isprintable() and 0 < len(said) <= MAX_CONTENT_TYPE_CHARACTERS else None


def _filename(headers: dict[str, str], source: Target) -> str:
    announced = _announced_filename(headers.get("content-disposition", ""))
    return shown_name(announced or unquote(source.path.rpartition("/")[2]))


def _announced_filename(disposition: str) -> str | None:
    header = Message()
    header["Content-Disposition"] = disposition
    names = [
        value
        for name, value in header.get_params([], header="content-disposition")
        if name == "filename"
    ]
    # Of both, the extended `filename*` counts (RFC 6266, 4.3); the library keeps it as a triple.
    names.sort(key=lambda value: not isinstance(value, tuple))
    return collapse_rfc2231_value(names[0]) if names else None
