"""Answer what came of all jobs of a batch, one line or one file after the other.

Nothing is held but the job at hand and a few that are read ahead, so memory does not grow with the
batch. What is not finished, or deleted, is listed as such.
"""

import json
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Literal, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from pydantic import BaseModel, ConfigDict

from api.archive_names import ArchiveNames
from api.job_view import JobView
from api.services import Services
from jobs.batch import Batch
from jobs.errors import StorageUnavailable
from jobs.job import Job
from jobs.s3_client import storage_errors
from transcript.cue_options import CueOptions
from transcript.renderings import RENDERINGS, render
from transcript.transcript import Transcript

READ_AHEAD = 4  # transcripts; each is waited for some 5 ms, and rendered in less
_PAGE = 100  # records read at once
LISTING = "results.jsonl"


class AbsentJob(BaseModel):
    """A job of a batch that has no record."""

    model_config = ConfigDict(frozen=True)

    id: str
    batch_id: str
    external_id: str | None
    # `queued`: accepted, and about to be written down.
    status: Literal["queued", "deleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one job."""

    view: JobView | AbsentJob
    name: str  # that its client would know it by
    transcript: bytes | None  # canonical JSON; None: there is none (yet)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A job as the manifest names it."""

    id: str
    external_id: str | None
    filename: str


def manifest_of(services: Services, batch: Batch) -> list[Listed]:
    """Return all jobs of a batch, in the order in which they were sent.

    Raises:
        StorageUnavailable: storage does not answer.
    """
    return [
        Listed(id=job.id, external_id=job.options.external_id, filename=job.media.filename)
        for job in services.batch_files.read(batch.id)
    ]


def results(
    services: Services, batch: Batch, manifest: Sequence[Listed]
) -> Generator[Result, None, None]:
    """Yield what came of each job.

    Raises:
        Unavailable: storage or the job store went away in the middle.
    """
    threads = ThreadPoolExecutor(READ_AHEAD)
    ahead: deque[tuple[Listed, Job | None, Future[bytes] | None]] = deque()
    try:
        for listed, job in _records(services, manifest):
            has_transcript = job is not None and job.transcript is not None
            reading = threads.submit(_read, services, job) if has_transcript and job else None
            ahead.append((listed, job, reading))
            if len(ahead) > READ_AHEAD:
                yield _result(services, batch, *ahead.popleft())
        while ahead:
            yield _result(services, batch, *ahead.popleft())
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def lines(found: Iterator[Result]) -> Iterator[bytes]:
    """Yield a line of JSON for each job: the job and its `transcript`, null where it has none."""
    for result in found:
        job = result.view.model_dump_json(warnings=False).encode()
        yield job[:-1] + b',"transcript":' + (result.transcript or b"null") + b"}\n"


def zipped(found: Iterator[Result], format_name: str, options: CueOptions) -> Iterator[bytes]:
    """Yield an archive of all transcripts in one format, and of a list that says which is whose."""
    sink = _Outflow()
    suffix = RENDERINGS[format_name].suffix
    names = ArchiveNames(LISTING)
    listing: list[str] = []
    archive = ZipFile(cast(BinaryIO, sink), "w", ZIP_DEFLATED)  # needs no more than it has
    for result in found:
        file = None
        if result.transcript is not None:
            file = names.take(result.name, suffix, otherwise=result.view.id)
            transcript = Transcript.model_validate_json(result.transcript)
            archive.writestr(_info(file, result), render(transcript, format_name, options))
        listing.append(_listing_line(result, file))
        yield sink.take()
    archive.writestr(_info(LISTING, None), "".join(listing))
    archive.close()
    yield sink.take()


class _Outflow:
    """A file that is written and never read: `zipfile` then puts sizes behind the contents."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, content: bytes) -> int:
        self._written += content
        return len(content)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


def _records(services: Services, manifest: Sequence[Listed]) -> Iterator[tuple[Listed, Job | None]]:
    rest = iter(manifest)
    while page := list(islice(rest, _PAGE)):
        found = {job.id: job for job in services.store.get_many([listed.id for listed in page])}
        for listed in page:
            yield listed, found.get(listed.id)


def _read(services: Services, job: Job) -> bytes:
    stored = services.files.open_transcript(job)
    with storage_errors(), stored:  # which as a context gives urllib3's own, with its own errors
        return stored.read()


def _result(
    services: Services,
    batch: Batch,
    listed: Listed,
    job: Job | None,
    reading: "Future[bytes] | None",
) -> Result:
    stem = listed.filename.rpartition(".")[0] or listed.filename
    name = listed.external_id or stem
    transcript = None
    if job is not None and reading is not None:
        try:
            transcript = reading.result()
        except StorageUnavailable:
            if services.store.get_many([job.id]):
                raise
            job = None  # deleted a moment ago
    if job is not None:
        return Result(view=JobView.of(job), name=name, transcript=transcript)
    absent = AbsentJob(
        id=listed.id,
        batch_id=batch.id,
        external_id=listed.external_id,
        status="deleted" if batch.is_accepted else "queued",
    )
    return Result(view=absent, name=name, transcript=None)


def _listing_line(result: Result, file: str | None) -> str:
    view = result.view
    failure = view.error if isinstance(view, JobView) else None
    said = {
        "id": view.id,
        "external_id": view.options.external_id if isinstance(view, JobView) else view.external_id,
        "status": view.status,
        "file": file,
        "error": failure.model_dump(mode="json") if failure is not None else None,
    }
    return json.dumps(said, ensure_ascii=False) + "\n"


def _info(name: str, result: Result | None) -> ZipInfo:
    info = ZipInfo(name)
    info.compress_type = ZIP_DEFLATED
    info.external_attr = 0o644 << 16  # else nobody may read it where it is unpacked
    view = result.view if result is not None else None
    if isinstance(view, JobView) and view.finished_at is not None:
        moment = view.finished_at
        info.date_time = (
            *(moment.year, moment.month, moment.day),
            *(moment.hour, moment.minute, moment.second),
        )
    return info
