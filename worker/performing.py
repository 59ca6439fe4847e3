"""Take one job from the queue to its end."""

import logging
import tempfile
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Protocol

from jobs.attempt import Outcome, new_lease
from jobs.batch_endings import BatchEndings
from jobs.dispatch import Dispatch
from jobs.errors import HandedBack, LeaseLost
from jobs.files import JobFiles
from jobs.heard import Heard
from jobs.job import Job
from jobs.leases import Claim, Leases
from jobs.ledger import bring_up_to_date
from jobs.options import TranscriptionOptions
from jobs.request_errors import IllegalMove, JobNotFound, JobPurged
from jobs.stages import Stage
from jobs.store import JobStore
from pipeline.awaiting import awaited
from pipeline.progress import OnDecoded, OnHeard, OnProgress
from pipeline.stages_elsewhere import Elsewhere
from transcript.renderings import render, rendering_of
from transcript.transcript import Transcript
from worker.activity import Activity
from worker.drain import Drain
from worker.ending import Change, ending_of
from worker.exclusion import Exclusion
from worker.heartbeat import Heartbeat
from worker.media_fetching import MediaFetcher
from worker.patience import patiently
from worker.reporting import HeardReporter, ProgressReporter
from worker.stage_sending import StageSender

log = logging.getLogger(__name__)

STORED = ("json", "srt", "vtt", "txt", "tsv")  # every other format is rendered when it is fetched


class Transcribe(Protocol):
    """The pipeline, or what stands in for it in tests of everything else."""

    def __call__(
        self,
        media: Path,
        options: TranscriptionOptions,
        on_progress: OnProgress,
        *,
        batch_share: float,
        on_decoded: OnDecoded,
        on_heard: OnHeard,
        elsewhere: Elsewhere | None,
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
        activity: Activity,
        drain: Drain,
        worker: str,
        process: str,
        jobs_at_once: int,
        work_dir: Path,
        stages: StageSender | None = None,
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
        self._stages = stages  # None: this process does them all
        self._activity = activity
        self._drain = drain
        self._process = process
        self._jobs_at_once = jobs_at_once
        self._exclusion = Exclusion()

    def perform(self, job_id: str) -> Job | None:
        """Run a job if it is to be had; return it as it stands then, None if nothing was done.

        Raises:
            Unavailable: Redis is away and nothing could be recorded; the lease runs out and the
                housekeeper queues the job again.
        """
        try:
            with self._exclusion.shared(self._drain.must_not_have_begun):
                claim = self._claim(job_id, is_alone=self._jobs_at_once == 1)
                if not claim.must_be_alone:
                    return self._performed(claim)
            log.info("runs alone, as its last process died", extra={"job_id": job_id})
            with self._exclusion.alone(self._drain.must_not_have_begun):
                return self._performed(self._claim(job_id, is_alone=True))
        except HandedBack:
            log.info("not begun: the worker ends", extra={"job_id": job_id})
        except (JobNotFound, JobPurged):
            log.info("nothing to do: deleted", extra={"job_id": job_id})
        return None

    def _claim(self, job_id: str, *, is_alone: bool) -> Claim:
        self._drain.must_not_have_begun()
        lease = new_lease(self._worker, process=self._process, is_alone=is_alone)

        def claim() -> Claim:
            self._drain.must_not_have_begun()
            return self._leases.claim(job_id, lease)

        # Its message is gone: given up here, the job would wait until that is noticed.
        return patiently(claim, self._drain.must_not_have_begun)

    def _performed(self, claim: Claim) -> Job | None:
        job = claim.job
        self._dispatch.feed(job.options.priority, job.owner)  # its owner's next one
        if not claim.is_mine or job.lease is None:
            log.info("nothing to do: over, or in other hands", extra={"job_id": job.id})
            return None
        try:
            with self._activity.of(job.id):
                ended = self._attempt(job, job.lease.token)
        except JobPurged:
            self._files.purge(job)  # what was stored after the purge looked
        except (LeaseLost, IllegalMove, JobNotFound, HandedBack) as error:
            log.info("attempt given up: %s", error, extra={"job_id": job.id})
        else:
            log.info("job %s", ended.status, extra={"job_id": job.id})
            if not ended.status.is_final:
                self._dispatch.feed(ended.options.priority, ended.owner)
                return ended
            bring_up_to_date(self._files, ended, store=self._store)
            self._batch_endings.settle(ended.batch_id)
            return ended
        return None

    def _attempt(self, job: Job, token: str) -> Job:
        with Heartbeat(self._leases, job.id, token) as heartbeat:
            report = ProgressReporter(
                self._store, heartbeat, self._drain, self._activity, job.id, token
            )
            change: Change
            try:
                outcome = self._run(job, token, report)
                change = partial(Job.succeeded, token=token, outcome=outcome)
            except (LeaseLost, IllegalMove, JobNotFound, JobPurged):
                raise
            except Exception as error:  # noqa: BLE001  # what it means is said there
                change = ending_of(error, job, token, report.stage)

            def end(now: Job) -> Job:
                # Where it came through before, unseen, there is nothing more to do.
                return now if now.transcript == token else change(now)

            return patiently(lambda: self._store.update(job.id, end), report.wait_on)

    def _run(self, job: Job, token: str, report: ProgressReporter) -> Outcome:
        with tempfile.TemporaryDirectory(prefix=f"{job.id}-", dir=self._work_dir) as directory:
            media = Path(directory) / "media"
            heard = HeardReporter(self._heard, job.id, job.attempt)
            heard.begin()
            report(Stage.FETCH, 0.0)
            self._fetcher.fetch(job, token, media, report)
            with self._elsewhere(job, token) as elsewhere:
                transcript = self._transcribe(
                    media,
                    job.options,
                    report,
                    batch_share=job.batch_share,
                    on_decoded=report.decoded,
                    on_heard=heard,
                    elsewhere=elsewhere,
                )
        self._keep(job.id, token, transcript, report)
        return Outcome.of(transcript, stages=report.stages())

    def _elsewhere(self, job: Job, token: str) -> AbstractContextManager[Elsewhere | None]:
        if self._stages is None:
            return nullcontext()
        return self._stages.of(job.id, token, excuse=partial(self._activity.excuse, job.id))

    def _keep(
        self, job_id: str, token: str, transcript: Transcript, report: ProgressReporter
    ) -> None:
        for number, name in enumerate(STORED):
            report(Stage.STORE, number / len(STORED))
            rendering = rendering_of(name)
            put = partial(
                self._files.put_transcript,
                job_id,
                token,
                suffix=rendering.suffix,
                content=render(transcript, name),
                media_type=rendering.media_type,
            )
            patiently(partial(awaited, put, report.go_on, name="store"), report.wait_on)
