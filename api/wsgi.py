"""The composition root of the API: `gunicorn --config api/gunicorn_conf.py api.wsgi:app`.

Nothing is connected here: clients open their connections with the first request, in the process
that serves it.
"""

import logging

from api import key_ring
from api.app import create_app
from api.connections import Slots
from api.key_ring import KeyRing
from api.rate import RequestRate
from api.request_ids import RequestIds
from api.services import Services
from api.settings import ApiSettings
from api.waiting import JobWatcher
from jobs import queue as broker
from jobs import redis_client
from jobs import s3_client as s3
from jobs.attachments import Attachments
from jobs.batch_endings import BatchEndings
from jobs.batch_files import BatchFiles
from jobs.batch_work import batch_work
from jobs.batches import Batches
from jobs.deliveries import Deliveries
from jobs.dispatch import job_dispatch
from jobs.endpoints import Endpoints
from jobs.figures import Figures
from jobs.files import JobFiles
from jobs.heard import Heard
from jobs.key_files import KeyFiles
from jobs.lanes import Lanes
from jobs.listing import JobList
from jobs.logs import configure_logging
from jobs.media_reading import MediaReader
from jobs.presigning import Presigner
from jobs.queue import JobQueue
from jobs.reservations import Reservations
from jobs.settings import load_settings
from jobs.store import JobStore
from jobs.upload_parts import UploadParts
from jobs.uploads import Uploads
from jobs.webhook_files import WebhookFiles
from jobs.webhook_secrets import OwnerSecrets
from jobs.workers import WorkerRegistry

configure_logging()
for _handler in logging.getLogger().handlers:
    _handler.addFilter(RequestIds())
_settings = load_settings(ApiSettings)
_redis_url = _settings.redis_url.get_secret_value()
_redis = redis_client.connect(_redis_url)
_store = JobStore(
    _redis,
    retention_days=_settings.retention_days,
    media_retention_days=_settings.media_retention_days,
)
_s3 = s3.connect(_settings, answer_seconds=s3.API_ANSWER_SECONDS)
_webhook_files = WebhookFiles(_s3, _settings.s3_bucket)
# Signs addresses for clients, as they reach storage; never used to connect.
_public_s3 = s3.connect(
    _settings.model_copy(
        update={"s3_endpoint_url": _settings.s3_public_endpoint_url or _settings.s3_endpoint_url}
    )
)

if _settings.allow_anonymous:
    logging.getLogger(__name__).warning(
        "ALLOW_ANONYMOUS=true: while there are no API keys, this service is open to everybody"
    )

app = create_app(
    Services(
        settings=_settings,
        keys=KeyRing(
            key_ring.keys_in(tuple(key.get_secret_value() for key in _settings.api_keys)),
            KeyFiles(_s3, _settings.s3_bucket),
        ),
        rate=RequestRate(_redis, _redis_url, per_minute=_settings.requests_per_minute),
        store=_store,
        job_list=JobList(_redis, _store),
        reservations=Reservations(_redis),
        attachments=Attachments(_redis, _store),
        heard=Heard(_redis),
        files=JobFiles(_s3, _settings.s3_bucket),
        media=MediaReader(_s3, _settings.s3_bucket),
        uploads=Uploads(_redis),
        upload_parts=UploadParts(_s3, _settings.s3_bucket),
        presigner=Presigner(_public_s3, _settings.s3_bucket),
        endpoints=Endpoints(_redis, _webhook_files),
        owner_secrets=OwnerSecrets(_redis, _webhook_files),
        deliveries=Deliveries(_redis, Lanes(_redis)),
        figures=Figures(_redis),
        dispatch=job_dispatch(_redis, JobQueue(broker.connect(_settings), _redis)),
        workers=WorkerRegistry(_redis),
        # With a connection of its own: it waits for announcements, which says nothing of Redis.
        watcher=JobWatcher(
            redis_client.connect(_redis_url, max_connections=1),
            _store,
            most_waiters=_settings.most_waiters,
        ),
        batches=Batches(_redis, _store),
        batch_endings=BatchEndings(_redis, _store),
        batch_files=BatchFiles(_s3, _settings.s3_bucket),
        batch_work=batch_work(_redis, _store, _s3, _settings.s3_bucket),
        batch_places=Slots(_settings.most_batches),
        receiving=Slots(_settings.most_uploads),
    )
)
