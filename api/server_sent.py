"""Write events as browsers' EventSource reads them (WHATWG HTML, 9.2 Server-sent events)."""

import re

# Of an answer that is a stream of events. Proxies of nginx's kind would hold the events back.
MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
_LINE_END = re.compile(r"\r\n|\r|\n")  # the format's own; str.splitlines knows more


def event(name: str, data: str, id: str | None = None) -> bytes:  # noqa: A002 (the format's word)
    """Return one event.

    Args:
        name: what a client listens for. Not "error", which EventSource uses for its own.
        data: any text; JSON, usually.
        id: what a client sends as `Last-Event-ID` when it comes back; None leaves the one before.

    Raises:
        ValueError: `name` or `id` would end its line, or `id` holds a NUL, which clients ignore.
    """
    lines = [f"event: {_one_line(name)}"]
    lines += [f"data: {line}" for line in _LINE_END.split(data)]
    if id is not None:
        lines.append(f"id: {_one_line(id)}")
    return _block(lines)


def comment(text: str = "") -> bytes:
    """Return what clients skip: it only shows that the connection is alive."""
    return _block([f": {line}".rstrip() for line in _LINE_END.split(text)])


def retry(milliseconds: int) -> bytes:
    """Return what tells clients how long to wait before they connect again."""
    return _block([f"retry: {milliseconds}"])


def _one_line(text: str) -> str:
    if _LINE_END.search(text) or "\0" in text:
        msg = f"not on one line: {text!r}"
        raise ValueError(msg)
    return text


def _block(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n\n").encode()
