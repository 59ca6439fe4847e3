"""Say which headers a client may have us send to the address it names."""

import re
from collections.abc import Mapping

MAX_HEADERS = 20
MAX_HEADERS_BYTES = 8 * 1024  # names and values together

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a token of RFC 9110
# Visible ASCII with single-line blanks inside; RFC 9110 leaves other bytes without a meaning.
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?")

# They frame the message, belong to the connection, or say what we can receive.
_OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
_OUR_PREFIX = "proxy-"


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse headers that a client must not have us send.

    Raises:
        ValueError: with a message for the client, which never repeats a value.
    """
    if len(headers) > MAX_HEADERS:
        msg = f"at most {MAX_HEADERS} headers can be sent"
        raise ValueError(msg)
    for name, value in headers.items():
        _check_header(name, value)
    if len({name.lower() for name in headers}) < len(headers):
        msg = "a header is named twice"
        raise ValueError(msg)
    if sum(len(name) + len(value) for name, value in headers.items()) > MAX_HEADERS_BYTES:
        msg = f"the headers are longer than {MAX_HEADERS_BYTES} bytes in all"
        raise ValueError(msg)


def _check_header(name: str, value: str) -> None:
    if not _NAME.fullmatch(name):  # not repeated: somebody may have put the whole line there
        msg = "a header's name holds characters that no header may have"
        raise ValueError(msg)
    if name.lower() in _OURS or name.lower().startswith(_OUR_PREFIX):
        msg = f"the header {name} is set by this service"
        raise ValueError(msg)
    if not _VALUE.fullmatch(value):
        msg = f"the value of the header {name} must be one line of ASCII, without blanks around it"
        raise ValueError(msg)
