"""List the jobs that have anything in object storage, the newest first."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jobs.ids import first_id_at
from jobs.s3_client import storage_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PREFIX = "jobs/"
_OLDEST = timedelta(days=36_500)


class JobFolders:
    """The folders `jobs/<id>/` of all jobs."""

    def __init__(self, client: "S3Client", bucket: str, *, page_size: int = 1000) -> None:
        self._s3 = client
        self._bucket = bucket
        self._page_size = page_size

    def newest_first(self, now: datetime) -> Iterator[list[str]]:
        """Yield the ids of all jobs, some at a time: those of the last minute first.

        Storage lists in one direction only, by name, and so the oldest jobs first. But ids begin
        with their time, so each listing begins twice as long ago as the one before and ends where
        that began: some 25 requests more than one listing of all.
        """
        age, until = timedelta(minutes=1), ""
        while age < _OLDEST:
            since = first_id_at("job", now - age)
            yield from self._between(since, until)
            age, until = 2 * age, since
        yield from self._between("", until)

    def _between(self, since: str, until: str) -> Iterator[list[str]]:
        with storage_errors():
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket,
                Prefix=_PREFIX,
                Delimiter="/",
                StartAfter=f"{_PREFIX}{since}",
                PaginationConfig={"PageSize": self._page_size},
            )
            for page in pages:
                ids = [found["Prefix"].split("/")[1] for found in page.get("CommonPrefixes", [])]
                wanted = [job_id for job_id in ids if not until or job_id < until]
                if wanted:
                    yield wanted
                if len(wanted) < len(ids):
                    return
