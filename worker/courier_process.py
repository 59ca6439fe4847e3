"""Put a courier together."""

import socket
import threading
from functools import partial

from jobs import queue as broker
from jobs import redis_client
from jobs import s3_client as s3
from jobs.deliveries import Deliveries
from jobs.dispatch import Dispatch
from jobs.endpoints import Endpoints
from jobs.gone_webhooks import GoneWebhooks
from jobs.lanes import Lanes
from jobs.outbox import Outbox
from jobs.outgoing import Outgoing
from jobs.queue import JobQueue
from jobs.settings import load_settings
from jobs.webhook_files import WebhookFiles
from jobs.webhook_secrets import OwnerSecrets
from worker.consuming import consume_deliveries
from worker.courier import LOST_AFTER_SECONDS, Courier, window_of
from worker.courier_settings import CourierSettings
from worker.delivering import Deliverer
from worker.fanning_out import FanOut


def deliver() -> None:
    """Tell those who want to know what happened, until told to stop."""
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
