"""Bring an item to the service, or find out that nothing has to be brought there."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from client.errors import ServiceRefused
from client.identity import client_id, sha256_of
from client.items import Item
from client.job import Job
from client.journal import Entry
from client.service import Service
from client.submission import OnBytes, Submission

_MOST_PURGED = 1_000  # jobs of the same bytes and options, each deleted; a loop without end is not


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What an item's media was when it was read."""

    sha256: str  # of the bytes, or of the source
    size: int | None = None  # bytes; None: the media is elsewhere
    mtime_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An item whose job is known."""

    item: Item
    contents: Contents
    job: Job | None  # None: what the journal says of these contents still holds


class ChangedMeanwhile(Exception):
    """A file was written to while it was read; what was sent is neither the old nor the new."""


@dataclass(slots=True, kw_only=True)
class Sender:
    """Makes one job of each content and set of options, however often and from where it is run."""

    service: Service
    retries_failed: bool
    _under_way: set[str] = field(default_factory=set, init=False)  # ids that a thread looks after
    _is_free: threading.Condition = field(default_factory=threading.Condition, init=False)
    _failed_now: set[str] = field(default_factory=set, init=False)  # job ids

    def send(self, item: Item, *, is_done: Callable[[Contents], bool], on_bytes: OnBytes) -> Sent:
        """Return the item's job, made if there is none.

        Args:
            item: what to send.
            is_done: whether an item of these contents needs no job.
            on_bytes: told of every piece that is sent.

        Raises:
            OSError: the file cannot be read.
            ChangedMeanwhile: it was written to meanwhile.
            ServiceRefused, ServiceUnreachable: the service did not take it.
        """
        contents = _contents_of(item)
        if is_done(contents):
            return Sent(item=item, contents=contents, job=None)
        with self._alone(client_id(contents.sha256, item.options_digest)):
            job = self._ensured(item, contents, on_bytes)
        return Sent(item=item, contents=contents, job=job)

    def failed(self, job: Job) -> None:
        """Be told that a job failed in this run: a twin of its item does not retry it."""
        self._failed_now.add(job.id)

    def _ensured(self, item: Item, contents: Contents, on_bytes: OnBytes) -> Job:
        submission = Submission(
            options=item.options, path=item.path, source=item.source, on_bytes=on_bytes
        )
        for purged in range(_MOST_PURGED):
            name = client_id(contents.sha256, item.options_digest, purged=purged)
            try:
                job = self.service.ensure(name, submission)
            except ServiceRefused as error:
                if error.status == HTTPStatus.GONE:
                    continue
                raise
            if item.path is not None and job.media.sha256 not in (None, contents.sha256):
                self.service.delete(job.id)  # an id says what it holds, and this one lies
                if sha256_of(item.path) != contents.sha256:
                    break
                continue  # it was another run whose file changed under its hands
            return self._revived(job)
        msg = "the file changed while it was being sent; run this again"
        raise ChangedMeanwhile(msg)

    def _revived(self, job: Job) -> Job:
        has_failed = job.is_over and not job.has_succeeded
        if has_failed and self.retries_failed and job.id not in self._failed_now:
            return self.service.retry(job.id)
        return job

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Let no other thread bring the same content meanwhile: it then meets our job."""
        with self._is_free:
            self._is_free.wait_for(lambda: name not in self._under_way)
            self._under_way.add(name)
        try:
            yield
        finally:
            with self._is_free:
                self._under_way.discard(name)
                self._is_free.notify_all()


def _contents_of(item: Item) -> Contents:
    if item.path is None:
        return Contents(sha256=item.source_digest or "")
    before = item.path.stat()
    return Contents(sha256=sha256_of(item.path), size=before.st_size, mtime_ns=before.st_mtime_ns)


def is_known(entry: Entry | None, item: Item, contents: Contents) -> bool:
    """Whether the journal's entry is of these very contents and options."""
    return entry is not None and (entry.sha256, entry.options) == (
        contents.sha256,
        item.options_digest,
    )
