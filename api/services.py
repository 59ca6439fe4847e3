"""Hand the views what they work with."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import current_app

from api.connections import Slots
from api.key_ring import KeyRing
from api.settings import ApiSettings
from api.waiting import JobWatcher
from jobs.attachments import Attachments
from jobs.batch_endings import BatchEndings
from jobs.batch_files import BatchFiles
from jobs.batch_work import BatchWork
from jobs.batches import Batches
from jobs.deliveries import Deliveries
from jobs.dispatch import Dispatch
from jobs.endpoints import Endpoints
from jobs.figures import Figures
from jobs.files import JobFiles
from jobs.heard import Heard
from jobs.listing import JobList
from jobs.media_reading import MediaReader
from jobs.presigning import Presigner
from jobs.reservations import Reservations
from jobs.store import JobStore
from jobs.upload_parts import UploadParts
from jobs.uploads import Uploads
from jobs.webhook_secrets import OwnerSecrets
from jobs.workers import WorkerRegistry

if TYPE_CHECKING:
    from api.rate import RequestRate


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything outside this process that a view may reach."""

    settings: ApiSettings
    keys: KeyRing
    rate: "RequestRate"
    store: JobStore
    job_list: JobList
    reservations: Reservations
    attachments: Attachments
    heard: Heard
    files: JobFiles
    media: MediaReader
    uploads: Uploads
    upload_parts: UploadParts
    presigner: Presigner
    endpoints: Endpoints
    owner_secrets: OwnerSecrets
    deliveries: Deliveries
    figures: Figures
    dispatch: Dispatch
    workers: WorkerRegistry
    watcher: JobWatcher
    batches: Batches
    batch_endings: BatchEndings
    batch_files: BatchFiles
    batch_work: BatchWork
    batch_places: Slots  # batches taken in at once
    receiving: Slots  # uploads at once


def services() -> Services:
    """Return the services of the app that answers this request."""
    found: Services = current_app.extensions["whisperline"]
    return found
