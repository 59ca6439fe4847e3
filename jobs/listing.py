"""Find an owner's jobs by what is known of them, at a cost that does not grow with their number."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import redis

from jobs.ids import first_id_at
from jobs.indexes import index_key, owner_key
from jobs.job import Job
from jobs.redis_client import redis_errors, texts
from jobs.status import JobStatus
from jobs.store import JobStore

# Where two filters hardly overlap, a page ends after this many records, with a cursor to go on.
MOST_READ = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs of an owner; None: all of them."""

    status: JobStatus | None = None
    tag: str | None = None
    external_id: str | None = None
    batch_id: str | None = None
    created_after: datetime | None = None  # this moment excluded
    created_before: datetime | None = None  # this moment excluded

    def matches(self, job: Job) -> bool:
        """Whether a job is one of them; for those that came from one index only."""
        return (
            self.status in (None, job.status)
            and (self.tag is None or self.tag in job.options.tags)
            and self.external_id in (None, job.options.external_id)
            and self.batch_id in (None, job.batch_id)
            and (self.created_after is None or job.created_at > self.created_after)
            and (self.created_before is None or job.created_at < self.created_before)
        )

    def indexes(self, owner: str) -> Iterator[str]:
        """Yield the indexes that hold all of them."""
        for field in ("status", "tag", "external_id", "batch_id"):
            value = getattr(self, field)
            if value is not None:
                yield index_key(owner, field, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some jobs, newest first."""

    jobs: tuple[Job, ...]
    next_cursor: str | None  # the id to go on before; None: there are no more


class JobList:
    """Reads the indexes that `jobs/indexes.py` keeps."""

    def __init__(self, client: "redis.Redis", store: JobStore) -> None:
        self._redis = client
        self._store = store

    def page(self, owner: str, wanted: JobFilter, *, limit: int, before: str | None = None) -> Page:
        """Return at most `limit` jobs, newest first, older than the id `before`.

        With several filters a page may be short, or empty, and still have a cursor.
        """
        key = self._smallest(owner, wanted)
        start = f"({before}" if before else "+"
        if wanted.created_before is not None:
            bound = first_id_at("job", wanted.created_before)
            # One millisecond later, as ids know no shorter time; `matches` is exact.
            start = min(start.lstrip("(+") or "~", f"{bound}~")
            start = f"({start}"
        end = f"[{first_id_at('job', wanted.created_after)}" if wanted.created_after else "-"
        found: list[Job] = []
        read = 0
        while read < MOST_READ:
            count = min(limit + 1, MOST_READ - read)
            ids = self._ids(key, start, end, count)
            read += len(ids)
            for job in self._store.get_many(ids):
                if not wanted.matches(job):
                    continue
                if len(found) == limit:
                    return Page(jobs=tuple(found), next_cursor=found[-1].id)
                found.append(job)
            if len(ids) < count:
                return Page(jobs=tuple(found), next_cursor=None)
            start = f"({ids[-1]}"
        return Page(jobs=tuple(found), next_cursor=start.lstrip("("))

    def _smallest(self, owner: str, wanted: JobFilter) -> str:
        keys = list(wanted.indexes(owner))
        if len(keys) < 2:
            return keys[0] if keys else owner_key(owner)
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for key in keys:
                pipe.zcard(key)
            sizes = pipe.execute()
        return min(zip(sizes, keys, strict=True))[1]

    def _ids(self, key: str, start: str, end: str, count: int) -> list[str]:
        with redis_errors():
            return texts(
                self._redis.zrange(key, start, end, desc=True, bylex=True, offset=0, num=count)
            )
