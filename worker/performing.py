"""Take one job from the queue to its end."""

import logging
import tempfile
import threading
from pathlib import Path
from typing import Protocol

from jobs.batch_endings import BatchEndings
from jobs.dispatch import Dispatch
from jobs.errors import (
    IllegalMove,
    JobNotFound,
    JobPurged,
    LeaseLost,
    MediaError,
    ServiceError,
    Unavailable,
)
from jobs.files import JobFiles
from jobs.heard import Heard
from jobs.job import MAX_ATTEMPTS, Failure, Job, Outcome, new_lease
from jobs.leases import Leases
from jobs.ledger import bring_up_to_date
from jobs.options import TranscriptionOptions
from jobs.stages import Stage
from jobs.store import JobStore
from pipeline.progress import OnDecoded, OnHeard, OnProgress
from transcript.renderings import render, rendering_of
from transcript.transcript import Transcript
from worker.heartbeat import Heartbeat
from worker.media_fetching import MediaFetcher
from worker.reporting import HeardReporter, ProgressReporter

log = logging.getLogger(__name__)

RETRY_SECONDS = 15.0  # between two attempts, when something the job needs is away
STORED = ("json", "srt", "vtt", "txt", "tsv")  # every other format is rendered when it is fetched


class Transcribe(Protocol):
    """The pipeline, or what stands in for it in tests of everything else."""

    def __call__(
        self,
        media: Path,
        options: TranscriptionOptions,
        on_progress: OnProgress,
        *,
        on_decoded: OnDecoded,
        on_heard: OnHeard,
    ) -> Transcript:
        """Return what was said in `media`."""


class Performer:
    """Performs jobs, one call each; threads may share it."""

    def __init__(
        self,
        *,
        store: JobStore,
        leases: Leases,
        dispatch: Dispatch,
        batch_endings: BatchEndings,
        files: JobFiles,
        fetcher: MediaFetcher,
        heard: Heard,
        transcribe: Transcribe,
        worker: str,
        work_dir: Path,
    ) -> None:
        self._store = store
        self._leases = leases
        self._dispatch = dispatch
        self._batch_endings = batch_endings
        self._files = files
        self._fetcher = fetcher
        self._heard = heard
        self._transcribe = transcribe
        self._worker = worker
        self._work_dir = work_dir
        self._lock = threading.Lock()
        self._working_on: set[str] = set()

    def job_ids(self) -> tuple[str, ...]:
        """Return the jobs in work at this moment."""
        with self._lock:
            return tuple(sorted(self._working_on))

    def perform(self, job_id: str) -> Job | None:
        """Run a job if it is to be had; return it as it ended, None if there was nothing to do.

        Raises:
            Unavailable: Redis is away and nothing could be recorded; the lease runs out and the
                housekeeper queues the job again.
        """
        lease = new_lease(self._worker)
        try:
            claim = self._leases.claim(job_id, lease)
        except (JobNotFound, JobPurged):
            log.info("nothing to do: deleted", extra={"job_id": job_id})
            return None
        job = claim.job
        self._dispatch.feed(job.options.priority, job.owner)  # its owner's next one
        if not claim.is_mine:
            log.info("nothing to do: over, or in other hands", extra={"job_id": job_id})
            return None
        with self._lock:
            self._working_on.add(job_id)
        try:
            ended = self._attempt(job, lease.token)
            self._batch_endings.settle(ended.batch_id)
            return ended
        except JobPurged:
            self._files.purge(job)  # what was stored after the purge looked
        except (LeaseLost, IllegalMove, JobNotFound) as error:
            log.info("attempt given up: %s", error, extra={"job_id": job_id})
        finally:
            with self._lock:
                self._working_on.discard(job_id)
        return None

    def _attempt(self, job: Job, token: str) -> Job:
        with Heartbeat(self._leases, job.id, token) as heartbeat:
            report = ProgressReporter(self._store, heartbeat, job.id, token)
            try:
                outcome = self._run(job, token, report)
                ended = self._store.update(job.id, lambda now: now.succeeded(token, outcome))
            except (LeaseLost, IllegalMove, JobNotFound, JobPurged):
                raise
            except Unavailable as error:
                return self._unavailable(job, token, error, report.stage)
            except MediaError as error:
                failure = Failure(code=error.code, message=error.message, stage=report.stage)
                ended = self._store.update(job.id, lambda now: now.failed(failure, token=token))
            except Exception:
                # Anything else is a bug of ours: all of it into the log, nothing of it outside.
                log.exception("job failed", extra={"job_id": job.id})
                failure = _internal(job, report.stage)
                ended = self._store.update(job.id, lambda now: now.failed(failure, token=token))
        log.info("job %s", ended.status, extra={"job_id": job.id})
        bring_up_to_date(self._files, ended)
        return ended

    def _run(self, job: Job, token: str, report: ProgressReporter) -> Outcome:
        with tempfile.TemporaryDirectory(prefix=f"{job.id}-", dir=self._work_dir) as directory:
            media = Path(directory) / "media"
            heard = HeardReporter(self._heard, job.id, job.attempt)
            heard.begin()
            report(Stage.FETCH, 0.0)
            self._fetcher.fetch(job, token, media, report)
            transcript = self._transcribe(
                media,
                job.options,
                report,
                on_decoded=report.decoded,
                on_heard=heard,
            )
        report(Stage.STORE, 0.0)
        for name in STORED:
            rendering = rendering_of(name)
            self._files.put_transcript(
                job.id,
                token,
                suffix=rendering.suffix,
                content=render(transcript, name),
                media_type=rendering.media_type,
            )
        return Outcome.of(transcript, stages=report.stages())

    def _unavailable(self, job: Job, token: str, error: ServiceError, stage: Stage | None) -> Job:
        """Leave the job to a later attempt; after the last one, let it fail.

        Meanwhile it pauses, so that what is away can come back.
        """
        log.warning("attempt %d: %s", job.attempt, error, extra={"job_id": job.id})
        if job.attempt < MAX_ATTEMPTS:
            return self._store.update(
                job.id, lambda now: now.put_back(token=token, pause_seconds=RETRY_SECONDS)
            )
        failure = Failure(code=error.code, message=error.message, stage=stage, retryable=True)
        return self._store.update(job.id, lambda now: now.failed(failure, token=token))


def _internal(job: Job, stage: Stage | None) -> Failure:
    return Failure(
        code="internal",
        message=f"a fault of this service; its log says more under job {job.id}",
        stage=stage,
        retryable=True,
    )
