"""Put together a process that performs jobs, or one stage of them."""

import os
import sys
from datetime import UTC, datetime
from functools import partial

from jobs import queue as broker
from jobs import redis_client
from jobs import s3_client as s3
from jobs.batch_endings import BatchEndings
from jobs.dispatch import job_dispatch
from jobs.errors import ModelUnavailable
from jobs.files import JobFiles
from jobs.heard import Heard
from jobs.leases import Leases
from jobs.outgoing import Outgoing
from jobs.queue import JobQueue
from jobs.settings import load_settings
from jobs.stage_call import StageRole
from jobs.store import JobStore
from jobs.workers import WorkerRegistry, WorkerStatus
from pipeline.device import DeviceMissing
from pipeline.pipeline import Pipeline
from pipeline.settings import PipelineSettings
from worker.activity import Activity
from worker.bereaved import Bereaved
from worker.consuming import consume_jobs
from worker.drain import Drain
from worker.last_resort import end_in_time
from worker.launched import Launched
from worker.media_fetching import MediaFetcher
from worker.memory import gpu, rss_bytes
from worker.performing import Performer
from worker.presence import present
from worker.settings import WorkerSettings
from worker.stage_process import do_stage_of_others, role_of, stage_sender
from worker.watching import watched
from worker.work_folder import work_folder


def work() -> None:
    """Perform jobs until told to stop."""
    settings, launched = load_settings(WorkerSettings), load_settings(Launched)
    role = role_of(settings, launched)
    with work_folder(settings.work_dir) as folder:
        of_pipeline = load_settings(PipelineSettings).model_copy(update={"work_dir": folder})
        try:
            pipeline = Pipeline(of_pipeline)
            # Before it is listed: a listed worker answers at once.
            pipeline.warm_up(
                whisper=role in (None, StageRole.WHISPER),
                diarizer=role in (None, StageRole.DIARIZE),
            )
        except (DeviceMissing, ModelUnavailable) as error:
            sys.stderr.write(f"worker: {error}\n")
            # What is missing now may come; a device will not.
            sys.exit(os.EX_TEMPFAIL if isinstance(error, ModelUnavailable) else os.EX_CONFIG)
        name = settings.name(pipeline.device.name)
        client = redis_client.connect(settings.redis_url.get_secret_value())
        store = JobStore(
            client,
            retention_days=settings.retention_days,
            media_retention_days=settings.media_retention_days,
        )
        celery = broker.connect(settings)
        activity, drain = Activity(), Drain(settings.drain_seconds)
        is_stage = role in (StageRole.ALIGN, StageRole.DIARIZE)
        started_at = datetime.now(UTC)

        def status() -> WorkerStatus:
            return WorkerStatus(
                name=name,
                device=pipeline.device.name,
                compute_type=pipeline.device.compute_type,
                started_at=started_at,
                jobs_at_once=1 if is_stage else settings.jobs_at_once(pipeline.device.name),
                jobs=activity.job_ids(),
                loaded_models=pipeline.loaded_models(),
                rss_bytes=rss_bytes(),
                gpu=gpu(pipeline.device.name),
                stage=role,
                process=launched.process,
            )

        if is_stage:
            do_stage_of_others(
                client,
                celery,
                settings,
                launched,
                run_stage=pipeline.run_stage,
                status=status,
                activity=activity,
                drain=drain,
                work_dir=folder,
            )
            return
        files = JobFiles(s3.connect(settings), settings.s3_bucket)
        queue = JobQueue(celery, client)
        leases, dispatch = Leases(client, store), job_dispatch(client, queue)
        performer = Performer(
            store=store,
            leases=leases,
            dispatch=dispatch,
            batch_endings=BatchEndings(client, store),
            files=files,
            fetcher=MediaFetcher(
                files=files,
                store=store,
                outgoing=Outgoing(allow_private_addresses=settings.allow_private_addresses),
                max_bytes=settings.max_file_size_mb * 1024 * 1024,
                timeout_seconds=settings.fetch_timeout_seconds,
            ),
            heard=Heard(client),
            transcribe=pipeline.run,
            activity=activity,
            drain=drain,
            worker=name,
            process=launched.process,
            jobs_at_once=settings.jobs_at_once(pipeline.device.name),
            work_dir=folder,
            stages=stage_sender(client, settings, queue, store) if role else None,
        )
        bereaved = Bereaved(store, leases, dispatch)
        end_in_time(drain, partial(bereaved.put_back, launched.process, None))
        with present(WorkerRegistry(client), status), watched(activity, launched.pipe):
            consume_jobs(
                celery,
                performer.perform,
                name=name,
                jobs_at_once=settings.jobs_at_once(pipeline.device.name),
                drain=drain,
            )
