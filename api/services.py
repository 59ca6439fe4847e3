"""Hand the views what they work with."""

from dataclasses import dataclass

from flask import current_app

from api.settings import ApiSettings
from api.waiting import JobWatcher
from jobs.files import JobFiles
from jobs.queue import JobQueue
from jobs.store import JobStore
from jobs.workers import WorkerRegistry

ANONYMOUS = "anonymous"  # the owner of every job while no keys are configured


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything outside this process that a view may reach."""

    settings: ApiSettings
    store: JobStore
    files: JobFiles
    queue: JobQueue
    workers: WorkerRegistry
    watcher: JobWatcher


def services() -> Services:
    """Return the services of the app that answers this request."""
    found: Services = current_app.extensions["whisperline"]
    return found
