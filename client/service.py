"""Speak to a Whisperline over HTTP, with patience."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx

from client.errors import ServiceRefused
from client.exchange import Exchange
from client.job import Job
from client.patience import Patience
from client.submission import CountedFile, Submission, sent_name

T = TypeVar("T")
_JOBS = "/v1/jobs"
_LOOKS = 20  # at a name that others take and leave meanwhile


class Service:
    """One Whisperline, at one address; may be used by several threads."""

    def __init__(self, url: str, *, api_key: str | None = None, patience: Patience) -> None:
        self.exchange = Exchange(url, api_key=api_key)
        self._patience = patience

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.exchange.close()

    def submit(self, submission: Submission) -> Job:
        """Return a new job; a request whose answer got lost is sent again without making two.

        Raises:
            OSError: the file cannot be read.
            ServiceRefused, ServiceUnreachable: as of all calls here.
        """
        headers = {"Idempotency-Key": str(uuid4())}
        return self._patience.insist(lambda: self._send("POST", _JOBS, submission, headers))

    def ensure(self, client_id: str, submission: Submission) -> Job:
        """Return the job of an id of our own: the one that is there, or else a new one.

        The bytes are sent only if there is none, also when an earlier answer got lost.

        Raises:
            ServiceRefused: also with status 410, where there was one.
            OSError: the file cannot be read.
        """

        def ask_or_put() -> Job:
            try:
                return self._job("GET", client_id)
            except ServiceRefused as error:
                if error.status != httpx.codes.NOT_FOUND:
                    raise
            return self._send("PUT", _path(client_id), submission, {})

        for _ in range(_LOOKS):
            try:
                return self._patience.insist(ask_or_put)
            except ServiceRefused as error:
                # Somebody made it since we asked, with other tags or so: then it can be had.
                if error.code != "idempotency_mismatch":
                    raise
        msg = "the job of this id comes and goes"
        raise ServiceRefused(httpx.codes.CONFLICT, "submission_in_progress", msg)

    def job(self, job_id: str, *, wait_seconds: float = 0) -> Job:
        """Return a job, as soon as it is over, or after `wait_seconds` (60 at most)."""
        return self._insist(lambda: self._job("GET", job_id, params={"wait": wait_seconds}))

    def follow(self, job_id: str, *, wait_seconds: float) -> Iterator[Job]:
        """Yield the job every now and then; the last one is over."""
        job = self.job(job_id)
        while not job.is_over:
            yield job
            job = self.job(job_id, wait_seconds=wait_seconds)
        yield job

    def transcript(self, job_id: str, form: str) -> bytes:
        """Return a finished job's transcript, rendered."""
        path = f"{_path(job_id)}/transcript"
        return self._insist(
            lambda: self.exchange.send("GET", path, params={"format": form})
        ).content

    def cancel(self, job_id: str) -> Job:
        """Withdraw a job."""
        return self._insist(lambda: self._job("POST", job_id, "/cancel"))

    def retry(self, job_id: str) -> Job:
        """Queue a job again that failed or was canceled; one that runs already is left alone."""
        try:
            return self._insist(lambda: self._job("POST", job_id, "/retry"))
        except ServiceRefused as error:
            if error.code != "illegal_move":
                raise
            return self.job(job_id)  # an earlier request did it, whose answer got lost

    def delete(self, job_id: str) -> None:
        """Delete a job and all its files."""
        self._insist(lambda: self.exchange.send("DELETE", _path(job_id)))

    def document(self, path: str) -> dict[str, Any]:
        """Return what stands at a path, in JSON."""
        return _document(self._insist(lambda: self.exchange.send("GET", path)))

    def create_key(self, name: str) -> dict[str, Any]:
        """Return a new key; it is never shown again.

        A request whose answer got lost is not sent again: it would make a second key.
        """
        answer = self._patience.insist(
            lambda: self.exchange.send("POST", "/v1/keys", json={"name": name}),
            is_repeatable=False,
        )
        return _document(answer)

    def revoke_keys(self, name: str) -> None:
        """Make all keys of a name void."""
        self._insist(lambda: self.exchange.send("DELETE", f"/v1/keys/{quote(name, safe='')}"))

    def _insist(self, attempt: Callable[[], T]) -> T:
        return self._patience.insist(attempt)

    def _job(self, method: str, job_id: str, action: str = "", **request: Any) -> Job:
        answer = self.exchange.send(method, f"{_path(job_id)}{action}", **request)
        return _job(answer)

    def _send(self, method: str, path: str, submission: Submission, headers: dict[str, str]) -> Job:
        """Send what a job is made of, once."""
        options = dict(submission.options)
        with ExitStack() as on_exit:
            if submission.path is None:
                body: dict[str, Any] = {"json": {"source": submission.source, "options": options}}
            else:
                file = on_exit.enter_context(CountedFile(submission.path, submission.on_bytes))
                # Options go first, so that a mistake in them is refused before the bytes are sent.
                body = {
                    "data": {"options": json.dumps(options)},
                    "files": {"file": (sent_name(submission.path), file)},
                }
            answer = self.exchange.send(method, path, headers=headers, **body)
        return _job(answer)


def _path(job_id: str) -> str:
    return f"{_JOBS}/{quote(job_id, safe='')}"


def _job(answer: httpx.Response) -> Job:
    try:
        return Job.model_validate_json(answer.content)
    except ValueError as error:
        raise _stranger(answer) from error


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        found: dict[str, Any] = answer.json()
    except ValueError as error:
        raise _stranger(answer) from error
    return found


def _stranger(answer: httpx.Response) -> ServiceRefused:
    return ServiceRefused(answer.status_code, "", "this is no answer of a Whisperline service")
