"""Find how a job's own webhook took what it was sent last."""

from api.services import services
from jobs.delivery import Delivery
from jobs.job import Job


def last_delivery(job: Job) -> Delivery | None:
    """Return the latest delivery; None: there is none yet, or the job has no webhook."""
    if job.options.webhook is None:
        return None
    page = services().deliveries.page(job.id, status=None, limit=1, before=None)
    return page.deliveries[0] if page.deliveries else None
