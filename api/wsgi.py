"""The composition root of the API: `gunicorn --config api/gunicorn_conf.py api.wsgi:app`.

Nothing is connected here: clients open their connections with the first request, in the process
that serves it.
"""

from api.app import create_app
from api.services import Services
from api.settings import ApiSettings
from api.waiting import JobWatcher
from jobs import files as s3
from jobs import queue as broker
from jobs import redis_client
from jobs.files import JobFiles
from jobs.logs import configure_logging
from jobs.queue import JobQueue
from jobs.settings import load_settings
from jobs.store import JobStore
from jobs.workers import WorkerRegistry

configure_logging()
_settings = load_settings(ApiSettings)
_redis = redis_client.connect(
    _settings.redis_url.get_secret_value(), max_connections=2 * _settings.api_threads
)
_store = JobStore(_redis)

app = create_app(
    Services(
        settings=_settings,
        store=_store,
        files=JobFiles(s3.connect(_settings), _settings.s3_bucket),
        queue=JobQueue(broker.connect(_settings), _redis),
        workers=WorkerRegistry(_redis),
        watcher=JobWatcher(_redis, _store),
    )
)
