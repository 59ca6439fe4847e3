"""Put a launcher together."""

import os
import sys
from collections.abc import Sequence

from jobs import queue as broker
from jobs import redis_client
from jobs.dispatch import job_dispatch
from jobs.leases import Leases
from jobs.queue import JobQueue
from jobs.settings import load_settings
from jobs.store import JobStore
from jobs.workers import WorkerRegistry
from worker.bereaved import Bereaved
from worker.gpus import GpuUnknown, Place, places
from worker.launcher import Launcher
from worker.notices import Notices
from worker.settings import WorkerSettings
from worker.stage_places import stage_places


def launch(command: Sequence[str] = (sys.executable, "-m", "worker", "work")) -> None:
    """Keep a process for each GPU alive until told to stop."""
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
