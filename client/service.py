"""Speak to a Whisperline over HTTP."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

WAIT_SECONDS = 1.0  # how long one poll is held when nothing changes; keeps a progress bar moving
FINAL = frozenset({"succeeded", "failed", "canceled"})


class ServiceRefused(Exception):
    """The service answered with an error; the message is its own."""


class ServiceUnreachable(Exception):
    """Nobody answers at the address."""


class Service:
    """One Whisperline, at one address."""

    def __init__(self, url: str, *, api_key: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._url = url
        self._http = httpx.Client(
            base_url=url,
            headers=headers,
            timeout=httpx.Timeout(30.0, write=300.0),  # seconds; a slow uplink is no error
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def submit(self, media: Path, options: Mapping[str, str]) -> dict[str, Any]:
        """Upload a file, streamed, and return its job.

        Raises:
            ServiceRefused, ServiceUnreachable: the upload was not taken.
        """
        with media.open("rb") as content:
            # Options go first, so that a mistake in them is refused before the bytes are sent.
            job: dict[str, Any] = self._call(
                "POST", "/v1/jobs", data=dict(options), files={"file": (media.name, content)}
            ).json()
        return job

    def follow(self, job_id: str) -> Iterator[dict[str, Any]]:
        """Yield the job every now and then; the last one is over."""
        while True:
            job: dict[str, Any] = self._call(
                "GET", f"/v1/jobs/{job_id}", params={"wait": WAIT_SECONDS}
            ).json()
            yield job
            if job["status"] in FINAL:
                return

    def transcript(self, job_id: str, form: str) -> str:
        """Return a finished job's transcript, rendered."""
        return self._call("GET", f"/v1/jobs/{job_id}/transcript", params={"format": form}).text

    def _call(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **request)
        except httpx.TransportError as error:
            msg = f"no answer from {self._url}: {error}"
            raise ServiceUnreachable(msg) from error
        if answer.is_error:
            raise ServiceRefused(_reason(answer))
        return answer


def _reason(answer: httpx.Response) -> str:
    """Return what the service says of an error, in one line."""
    is_json = "json" in answer.headers.get("content-type", "")
    detail = answer.json().get("detail") if is_json else None
    return f"{answer.status_code}: {detail or answer.reason_phrase}"
