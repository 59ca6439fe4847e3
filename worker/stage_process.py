"""Put together what a process needs that does one stage of other processes' jobs, and run it."""

from collections.abc import Callable
from pathlib import Path

import redis
from celery import Celery

from jobs import s3_client as s3
from jobs.queue import JobQueue
from jobs.stage_call import StageRole
from jobs.stage_calls import StageCalls
from jobs.stage_files import StageFiles
from jobs.stage_leftovers import StageLeftovers
from jobs.store import JobStore
from jobs.workers import WorkerRegistry, WorkerStatus
from worker.activity import Activity
from worker.consuming import consume_stage
from worker.drain import Drain
from worker.last_resort import end_in_time
from worker.launched import Launched
from worker.presence import present
from worker.settings import WorkerSettings
from worker.stage_sending import StageSender
from worker.stage_serving import RunStage, StageServer
from worker.watching import watched


def role_of(settings: WorkerSettings, launched: Launched) -> StageRole | None:
    """Return what a process does of the jobs; None: all of it."""
    return launched.stage if settings.pipeline_strategy == "split" else None


def stage_sender(
    client: "redis.Redis", settings: WorkerSettings, queue: JobQueue, store: JobStore
) -> StageSender:
    """Return what has the stages of jobs done by other processes."""
    files = StageFiles(s3.connect(settings), settings.s3_bucket)
    return StageSender(
        files=files,
        calls=StageCalls(client),
        queue=queue,
        workers=WorkerRegistry(client),
        leftovers=StageLeftovers(client, store, files),
    )


def do_stage_of_others(
    client: "redis.Redis",
    celery: Celery,
    settings: WorkerSettings,
    launched: Launched,
    *,
    run_stage: RunStage,
    status: Callable[[], WorkerStatus],
    activity: Activity,
    drain: Drain,
    work_dir: Path,
) -> None:
    """Do the stage of this process until told to stop."""
    server = StageServer(
        calls=StageCalls(client),
        files=StageFiles(s3.connect(settings), settings.s3_bucket),
        run_stage=run_stage,
        activity=activity,
        drain=drain,
        process=launched.process,
        work_dir=work_dir,
    )
    end_in_time(drain, server.release)
    with present(WorkerRegistry(client), status), watched(activity, launched.pipe):
        consume_stage(celery, server.serve, role=launched.stage, name=status().name, drain=drain)
