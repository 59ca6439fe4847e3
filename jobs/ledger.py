"""Bring a job's ledger entry up to date after its record has changed."""

import logging

from jobs.errors import Unavailable
from jobs.files import JobFiles
from jobs.job import Job

log = logging.getLogger(__name__)


def bring_up_to_date(files: JobFiles, job: Job) -> None:
    """Write down where a job stands.

    The record already says so; where this fails, only a lost Redis would bring back the old one.
    """
    try:
        files.write_ledger(job)
    except Unavailable as error:
        log.warning("ledger not written: %s", error, extra={"job_id": job.id})
