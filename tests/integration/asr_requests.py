"""Call `/asr` as its clients do."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

SCRIPT = json.dumps({"say": "hello"}).encode()


def asr(
    api: httpx.Client | str,
    content: bytes = SCRIPT,
    /,
    *,
    query: dict[str, str] | None = None,
    form: dict[str, str] | None = None,
    accept: str = "*/*",
) -> httpx.Response:
    """Send media and wait for the answer."""
    url = f"{api if isinstance(api, str) else api.base_url}/asr"
    return httpx.post(
        url,
        params=query,
        data=form or {},
        files={"audio_file": ("my talk.wav", content)},
        headers={"Accept": accept},
        timeout=60,
    )


@contextmanager
def held(
    url: str, content: bytes = SCRIPT, *, key: str = "", **query: str
) -> Iterator[httpx.Response]:
    """Send media; the answer has begun, and leaving the block hangs up."""
    with httpx.Client(base_url=url, timeout=60, headers={"X-API-Key": key}) as client:
        files = {"audio_file": ("a.wav", content)}
        with client.stream("POST", "/asr", params=query, files=files) as answer:
            yield answer
