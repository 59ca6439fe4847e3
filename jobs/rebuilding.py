"""Rebuild what Redis knows from object storage, after Redis lost something or everything.

    whisperline:rebuilt               string   see jobs/store.py; written when all is back
    whisperline:rebuilding:<token>    string   Redis was not emptied again since this rebuilding
                                               began

While `whisperline:rebuilt` is missing, what is not in Redis is looked for in storage where somebody
asks for it (jobs/restoring.py), and nothing in storage is taken for abandoned.

It is there, but Redis came back without the last second, or from a backup: so everything is looked
through at the start of a housekeeper too, and every hour. Then only what has been in storage for a
minute counts as lost, as a submission writes there first.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import redis

from jobs.batch_files import BatchFiles
from jobs.batch_rebuilding import BatchRebuilding
from jobs.endpoints import Endpoints
from jobs.errors import Unavailable
from jobs.files import JobFiles
from jobs.job_folders import JobFolders
from jobs.redis_client import redis_errors
from jobs.restoring import SETTLED_SECONDS, Restorer
from jobs.store import REBUILT, JobStore

LOOK_SECONDS = 2.0  # between two looks whether Redis was emptied
EVERY_SECONDS = 3600.0
_MOST_SECONDS = 7 * 24 * 3600  # longer than any rebuilding takes

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What one look through everything brought back."""

    jobs: int
    batches: int
    endpoints: int
    is_complete: bool  # False: Redis was emptied again meanwhile


class Rebuilding:
    """Compares storage with Redis, and brings back what Redis lacks; any number at once is safe.

    Args:
        client: of the Redis.
        store: the records of jobs.
        files: the ledger of jobs.
        folders: which jobs the ledger has.
        batch_files: the manifests of batches.
        batches: restores batches.
        endpoints: the addresses that owners want to be told at.
    """

    def __init__(
        self,
        client: "redis.Redis",
        *,
        store: JobStore,
        files: JobFiles,
        folders: JobFolders,
        batch_files: BatchFiles,
        batches: BatchRebuilding,
        endpoints: Endpoints,
    ) -> None:
        self._redis = client
        self._store = store
        self._files = files
        self._folders = folders
        self._batch_files = batch_files
        self._batches = batches
        self._endpoints = endpoints

    def run(self, stop: threading.Event, *, then: Callable[[], None] | None = None) -> None:
        """Look through everything now, every hour, and when Redis was emptied.

        Args:
            stop: set to end it.
            then: what is to be done after each complete look.
        """
        last: float | None = None  # monotonic second
        while True:
            try:
                is_due = last is None or time.monotonic() - last > EVERY_SECONDS
                if is_due or not self._store.is_rebuilt():
                    is_complete = self.reconcile().is_complete
                    last = time.monotonic() if is_complete else last
                    if is_complete and then is not None:
                        then()
            except Unavailable as error:
                log.warning("rebuilding given up, for now: %s", error)
            except Exception:  # what is back is back, and the rest needs another try
                log.exception("rebuilding failed; tried again")
            if stop.wait(LOOK_SECONDS):
                return

    def reconcile(self) -> Rebuilt:
        """Bring back all that storage has and Redis lacks.

        Raises:
            Unavailable: Redis or storage is away; what is not back yet comes with the next one.
        """
        mark = f"whisperline:rebuilding:{secrets.token_hex(8)}"
        with redis_errors():
            self._redis.set(mark, "1", ex=_MOST_SECONDS)
        was_emptied = not self._store.is_rebuilt()
        began = time.monotonic()
        if was_emptied:
            log.warning("Redis is new, or was emptied: rebuilding from object storage")
        settled = 0.0 if was_emptied else SETTLED_SECONDS
        restorer = Restorer(self._store, self._files, self._batch_files)
        # First who wants to be told of what the jobs do.
        endpoints = self._endpoints.restore_all()
        jobs = sum(
            restorer.restore(ids, settled_seconds=settled)
            for ids in self._folders.newest_first(datetime.now(UTC))
        )
        batches = self._batches.reconcile(restorer, settled_seconds=settled)
        rebuilt = Rebuilt(
            jobs=jobs, batches=batches, endpoints=endpoints, is_complete=self._finish(mark)
        )
        if was_emptied or jobs or batches or endpoints:
            log.warning("rebuilt in %.1f s: %s", time.monotonic() - began, rebuilt)
        return rebuilt

    def _finish(self, mark: str) -> bool:
        """Say that all is back, unless Redis was emptied once more since `mark` was set."""

        def finish(pipe: "redis.client.Pipeline") -> bool:
            is_complete = bool(pipe.exists(mark))
            pipe.multi()
            if is_complete:
                pipe.set(REBUILT, datetime.now(UTC).isoformat())
                pipe.delete(mark)
            return is_complete

        with redis_errors():
            return bool(
                self._redis.transaction(
                    finish,  # type: ignore[arg-type]  # typed as if it could return nothing
                    mark,
                    value_from_callable=True,
                )
            )
