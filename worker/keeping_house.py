"""Put a housekeeper together."""

import signal
import threading
from typing import TYPE_CHECKING

from jobs import queue as broker
from jobs import redis_client
from jobs import s3_client as s3_storage
from jobs.batch_files import BatchFiles
from jobs.batch_rebuilding import BatchRebuilding
from jobs.batch_work import batch_work
from jobs.batches import Batches
from jobs.dispatch import Dispatch, job_dispatch
from jobs.endpoints import Endpoints
from jobs.files import JobFiles
from jobs.job_folders import JobFolders
from jobs.leases import Leases
from jobs.ledger import LedgerDue
from jobs.orphans import Orphans
from jobs.queue import JobQueue
from jobs.rebuilding import Rebuilding
from jobs.settings import StoreSettings, load_settings
from jobs.stage_files import StageFiles
from jobs.stage_leftovers import StageLeftovers
from jobs.store import JobStore
from jobs.uploads import Uploads
from jobs.webhook_files import WebhookFiles
from worker.housekeeper import GRACE_SECONDS, Housekeeper
from worker.retention import retention

if TYPE_CHECKING:
    import redis
    from mypy_boto3_s3 import S3Client


def rebuilding(client: "redis.Redis", store: JobStore, s3: "S3Client", bucket: str) -> Rebuilding:
    """Return what brings back into this Redis what is in this bucket."""
    batch_files = BatchFiles(s3, bucket)
    return Rebuilding(
        client,
        store=store,
        files=JobFiles(s3, bucket),
        folders=JobFolders(s3, bucket),
        batch_files=batch_files,
        batches=BatchRebuilding(Batches(client, store), batch_files),
        endpoints=Endpoints(client, WebhookFiles(s3, bucket)),
    )


def housekeeper(
    client: "redis.Redis",
    store: JobStore,
    dispatch: Dispatch,
    s3: "S3Client",
    bucket: str,
    *,
    grace_seconds: float = GRACE_SECONDS,
) -> Housekeeper:
    """Return who looks after this Redis and this bucket."""
    files = JobFiles(s3, bucket)
    work = batch_work(client, store, s3, bucket)
    return Housekeeper(
        store=store,
        leases=Leases(client, store),
        dispatch=dispatch,
        files=files,
        uploads=Uploads(client),
        batch_work=work,
        retention=retention(client, store, s3, bucket, work),
        stage_leftovers=StageLeftovers(client, store, StageFiles(s3, bucket)),
        ledger_due=LedgerDue(client, store, files),
        rebuilding=rebuilding(client, store, s3, bucket),
        orphans=Orphans(client, s3, bucket, store=store, files=files),
        grace_seconds=grace_seconds,
    )


def keep_house() -> None:
    """Look after jobs that nobody looks after, until told to stop."""
    settings = load_settings(StoreSettings)
    client = redis_client.connect(settings.redis_url.get_secret_value())
    store = JobStore(
        client,
        retention_days=settings.retention_days,
        media_retention_days=settings.media_retention_days,
    )
    dispatch = job_dispatch(client, JobQueue(broker.connect(settings), client))
    storage = s3_storage.connect(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    housekeeper(client, store, dispatch, storage, settings.s3_bucket).run(stop)
