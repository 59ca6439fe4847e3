"""Bring a job's media to the worker's disk, wherever it is."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jobs.content_type import sound_content_type
from jobs.fetched import Fetched
from jobs.files import JobFiles
from jobs.job import Job
from jobs.media import Media
from jobs.outgoing import Outgoing
from jobs.source import S3Source, UrlSource
from jobs.stages import Stage
from jobs.store import JobStore
from pipeline.awaiting import awaited
from worker.patience import patiently
from worker.reporting import ProgressReporter


class MediaFetcher:
    """Fetches media from our own storage, from an address, or from another bucket."""

    def __init__(
        self,
        *,
        files: JobFiles,
        store: JobStore,
        outgoing: Outgoing,
        max_bytes: int,
        timeout_seconds: float,
    ) -> None:
        self._files = files
        self._store = store
        self._outgoing = outgoing
        self._max_bytes = max_bytes
        self._timeout_seconds = timeout_seconds

    def fetch(self, job: Job, token: str, target: Path, report: ProgressReporter) -> None:
        """Write a job's media to a file; what comes from elsewhere is kept in storage too.

        An outage of storage or of the job store is waited for.

        Raises:
            MediaError: the source has nothing for us, too much, or may not be called.
            Unavailable: it does not answer at the moment, or our own stores for long.
            Whatever `report` raises.
        """
        if job.is_media_kept:
            arrived = _Arrived(total_bytes=job.media.bytes)
            fetch = partial(self._files.fetch_media, job, target, on_bytes=arrived.add)
            self._moved(fetch, report, arrived)
            if job.media.sha256 is None:  # the client sent it past the API
                self._note(job, token, job.media.model_copy(update=_digest(target)), report)
            return
        match job.source:
            case UrlSource():
                media = self._from_url(job, job.source, target, report)
            case S3Source(bucket=bucket, key=key):
                fetch = partial(
                    self._files.fetch_object, bucket, key, target, max_bytes=self._max_bytes
                )
                self._moved(fetch, report)
                media = job.media.model_copy(update=_digest(target))
            case _:  # it came with the request, or by an upload: both are kept
                raise AssertionError(job.source)
        put = partial(self._files.put_media, job, target, content_type=media.content_type)
        self._moved(put, report)
        self._note(job, token, media, report)

    @staticmethod
    def _moved(
        transfer: Callable[[], None], report: ProgressReporter, arrived: "_Arrived | None" = None
    ) -> None:
        """Have storage move media; the job may be withdrawn while it does not answer."""

        def tell() -> None:
            report(Stage.FETCH, arrived.share if arrived is not None else 0.0)

        patiently(lambda: awaited(transfer, tell, name="media"), report.wait_on)

    def _from_url(
        self, job: Job, source: UrlSource, target: Path, report: ProgressReporter
    ) -> Media:
        arrived = _Arrived()

        def fetch() -> Fetched:
            with target.open("wb") as file:
                return self._outgoing.fetch(
                    source.url,
                    source.headers,
                    file,
                    max_bytes=self._max_bytes,
                    timeout_seconds=self._timeout_seconds,
                    on_progress=arrived.note,
                )

        try:
            fetched = awaited(
                fetch, lambda: report(Stage.FETCH, arrived.share), name="media from elsewhere"
            )
        finally:
            arrived.is_wanted = False
        return job.media.model_copy(
            update={
                "filename": fetched.filename,
                "bytes": fetched.bytes,
                "sha256": fetched.sha256,
                "content_type": sound_content_type(fetched.content_type),
            }
        )

    def _note(self, job: Job, token: str, media: Media, report: ProgressReporter) -> None:
        def write() -> None:
            self._store.update(job.id, lambda now: now.fetched(token, media))

        patiently(write, report.wait_on)


class _NotWanted(Exception):
    """Nobody waits any longer for what arrives."""


@dataclass(slots=True)
class _Arrived:
    """How much has come, noted by the thread that fetches, told by the one that waits for it."""

    total_bytes: int | None = None  # None: nobody said
    received_bytes: int = 0
    share: float = 0.0  # 0 to 1
    is_wanted: bool = True

    def add(self, more_bytes: int) -> None:
        """Take note of some more; what is fetched a second time counts a second time."""
        self.received_bytes += more_bytes
        if self.total_bytes:
            self.share = min(1.0, self.received_bytes / self.total_bytes)

    def note(self, received_bytes: int, total_bytes: int | None) -> None:
        if not self.is_wanted:
            raise _NotWanted
        self.share = min(1.0, received_bytes / total_bytes) if total_bytes else 0.0


def _digest(path: Path) -> dict[str, object]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
