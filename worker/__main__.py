"""Start a worker, the housekeeper or the courier: `python -m worker [housekeeper | courier]`.

A worker is a launcher, and below it one process (`work`) for each GPU.
"""

import argparse
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from jobs import queue as broker
from jobs import redis_client
from jobs import s3_client as s3
from jobs.batch_endings import BatchEndings
from jobs.deliveries import Deliveries
from jobs.dispatch import Dispatch, job_dispatch
from jobs.endpoints import Endpoints
from jobs.errors import ModelUnavailable
from jobs.files import JobFiles
from jobs.gone_webhooks import GoneWebhooks
from jobs.heard import Heard
from jobs.lanes import Lanes
from jobs.leases import Leases
from jobs.logs import configure_logging
from jobs.outbox import Outbox
from jobs.outgoing import Outgoing
from jobs.queue import JobQueue
from jobs.settings import StoreSettings, load_settings
from jobs.stage_call import StageRole
from jobs.store import JobStore
from jobs.webhook_files import WebhookFiles
from jobs.webhook_secrets import OwnerSecrets
from jobs.workers import WorkerRegistry, WorkerStatus
from worker.settings import WorkerSettings


def launch(command: Sequence[str] = (sys.executable, "-m", "worker", "work")) -> None:
    """Keep a process for each GPU alive until told to stop."""
    from worker.bereaved import Bereaved
    from worker.gpus import GpuUnknown, Place, places
    from worker.launcher import Launcher
    from worker.notices import Notices
    from worker.stage_places import stage_places

    settings = load_settings(WorkerSettings)
    client = redis_client.connect(settings.redis_url.get_secret_value())
    store = JobStore(
        client,
        retention_days=settings.retention_days,
        media_retention_days=settings.media_retention_days,
    )
    dispatch = job_dispatch(client, JobQueue(broker.connect(settings), client))
    try:
        found: Sequence[Place] = places(settings.gpus, device=settings.device)
    except GpuUnknown as error:
        sys.stderr.write(f"worker: {error}\n")
        sys.exit(os.EX_CONFIG)
    if settings.pipeline_strategy == "split":
        found = stage_places(found, settings.stage_replicas)
    else:
        found = [place for place in found for _ in range(settings.workers_per_gpu)]
    sys.exit(
        Launcher(
            found,
            command,
            worker_name=settings.worker_name,
            bereaved=Bereaved(store, Leases(client, store), dispatch),
            notices=Notices(WorkerRegistry(client)),
            drain_seconds=settings.drain_seconds,
            stall_seconds=settings.stall_seconds,
            most_memory_bytes=settings.worker_memory_mb * 1024**2 or None,
            give_up_after=settings.give_up_after,
        ).run()
    )


def work() -> None:
    """Perform jobs until told to stop."""
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
    from worker.stage_process import do_stage_of_others, role_of, stage_sender
    from worker.watching import watched
    from worker.work_folder import work_folder

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


def keep_house() -> None:
    """Look after jobs that nobody looks after, until told to stop."""
    from worker.keeping_house import housekeeper

    settings = load_settings(StoreSettings)
    client = redis_client.connect(settings.redis_url.get_secret_value())
    store = JobStore(
        client,
        retention_days=settings.retention_days,
        media_retention_days=settings.media_retention_days,
    )
    dispatch = job_dispatch(client, JobQueue(broker.connect(settings), client))
    storage = s3.connect(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    housekeeper(client, store, dispatch, storage, settings.s3_bucket).run(stop)


def deliver() -> None:
    """Tell those who want to know what happened, until told to stop."""
    from worker.consuming import consume_deliveries
    from worker.courier import LOST_AFTER_SECONDS, Courier, window_of
    from worker.courier_settings import CourierSettings
    from worker.delivering import Deliverer
    from worker.fanning_out import FanOut

    settings = load_settings(CourierSettings)
    client = redis_client.connect(settings.redis_url.get_secret_value())
    celery = broker.connect(settings)
    queue = JobQueue(celery, client)
    lanes = Lanes(client)
    deliveries, outbox, gone = Deliveries(client, lanes), Outbox(client), GoneWebhooks(client)
    webhook_files = WebhookFiles(s3.connect(settings), settings.s3_bucket)
    endpoints = Endpoints(client, webhook_files)
    dispatch = Dispatch(
        lanes,
        queue,
        queue.send_delivery,
        window=partial(window_of, deliveries),
        lost_after_seconds=LOST_AFTER_SECONDS,
    )
    courier = Courier(FanOut(outbox, deliveries, endpoints, gone), dispatch, outbox)
    deliverer = Deliverer(
        deliveries=deliveries,
        endpoints=endpoints,
        secrets=OwnerSecrets(client, webhook_files),
        gone=gone,
        dispatch=dispatch,
        outgoing=Outgoing(allow_private_addresses=settings.allow_private_addresses),
    )
    stop = threading.Event()
    rounds = threading.Thread(target=courier.run, args=(stop,), name="courier-rounds")
    rounds.start()
    try:
        consume_deliveries(
            celery,
            deliverer.attempt,
            name=settings.courier_name or f"courier@{socket.gethostname()}",
            calls_at_once=settings.courier_concurrency,
        )
    finally:
        stop.set()
        rounds.join()


_ROLES = {"launch": launch, "work": work, "housekeeper": keep_house, "courier": deliver}


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument("role", nargs="?", choices=tuple(_ROLES), default="launch")
    role = parser.parse_args().role
    configure_logging()
    _ROLES[role]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
