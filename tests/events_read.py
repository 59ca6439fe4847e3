"""Read streams of events as a client does that is not ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from httpx2 import EventSource, ServerSentEvent


def read(content: bytes) -> list[ServerSentEvent]:
    """Return the events in an answer's body."""
    return list(
        EventSource(
            httpx2.Response(
                200,
                headers={"Content-Type": "text/event-stream"},
                content=content,
                request=httpx2.Request("GET", "http://127.0.0.1/"),
            )
        )
    )


@contextmanager
def watching(
    url: str, job_id: str, *, last_id: str | None = None, query: str = ""
) -> Iterator[Iterator[ServerSentEvent]]:
    """Connect to the events of a job; leaving hangs up."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    with (
        httpx2.Client(base_url=url, timeout=60, trust_env=False) as client,
        client.sse(f"/v1/jobs/{job_id}/events{query}", headers=headers) as source,
    ):
        assert source.response.status_code == 200, source.response.read()
        yield iter(source)


def until(events: Iterator[ServerSentEvent], name: str, **shown: object) -> list[ServerSentEvent]:
    """Read up to an event of this name whose data shows this."""
    passed = []
    for event in events:
        passed.append(event)
        if event.event == name and shown.items() <= told(event).items():
            return passed
    raise AssertionError((name, shown, passed))


def told(event: ServerSentEvent) -> dict[str, object]:
    """Return the data of an event."""
    data = event.json()
    assert isinstance(data, dict)
    return data


def texts(events: list[ServerSentEvent]) -> str:
    """Return the text of the segments among some events."""
    return "".join(str(told(event)["text"]) for event in events if event.event == "segment")


def names(events: list[ServerSentEvent]) -> list[str]:
    """Return what kinds of events these are; `message` is of `retry` alone."""
    return [event.event for event in events if event.event != "message"]
