"""The Celery app for `celery --app jobs.flower:celery flower`: a composition root."""

from jobs.queue import connect
from jobs.settings import StoreSettings

celery = connect(StoreSettings())
