"""Bring a job's media to the worker's disk, wherever it is."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from jobs.content_type import sound_content_type
from jobs.files import JobFiles
from jobs.job import Job, Media
from jobs.outgoing import Outgoing
from jobs.source import S3Source, UrlSource
from jobs.stages import Stage
from jobs.store import JobStore
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

        Raises:
            MediaError: the source has nothing for us, too much, or may not be called.
            Unavailable: it does not answer at the moment.
        """
        if job.is_media_kept:
            self._files.fetch_media(job, target)
            if job.media.sha256 is None:  # the client sent it past the API
                self._note(job, token, job.media.model_copy(update=_digest(target)))
            return
        match job.source:
            case UrlSource():
                media = self._from_url(job, job.source, target, report)
            case S3Source(bucket=bucket, key=key):
                self._files.fetch_object(bucket, key, target, max_bytes=self._max_bytes)
                media = job.media.model_copy(update=_digest(target))
            case _:  # it came with the request, or by an upload: both are kept
                raise AssertionError(job.source)
        self._files.put_media(job, target, content_type=media.content_type)
        self._note(job, token, media)

    def _from_url(
        self, job: Job, source: UrlSource, target: Path, report: ProgressReporter
    ) -> Media:
        with target.open("wb") as file:
            fetched = self._outgoing.fetch(
                source.url,
                source.headers,
                file,
                max_bytes=self._max_bytes,
                timeout_seconds=self._timeout_seconds,
                on_progress=_as_stage(report),
            )
        return job.media.model_copy(
            update={
                "filename": fetched.filename,
                "bytes": fetched.bytes,
                "sha256": fetched.sha256,
                "content_type": sound_content_type(fetched.content_type),
            }
        )

    def _note(self, job: Job, token: str, media: Media) -> None:
        self._store.update(job.id, lambda now: now.fetched(token, media))


def _as_stage(report: ProgressReporter) -> Callable[[int, int | None], None]:
    def on_progress(received_bytes: int, total_bytes: int | None) -> None:
        report(Stage.FETCH, received_bytes / total_bytes if total_bytes else 0.0)

    return on_progress


def _digest(path: Path) -> dict[str, object]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
