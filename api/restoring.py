"""Give requests the jobs that Redis has lost and the ledger has not."""

from api.services import Services
from jobs.restoring import Restorer


def restorer(services: Services) -> Restorer:
    """Return what brings a job back that a request asks for, while all are being restored."""
    return Restorer(services.store, services.files, services.batch_files)
