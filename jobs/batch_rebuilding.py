"""Bring batches back from object storage that Redis knows nothing of any more.

Of a batch that was over, what was kept of its jobs is in their own ledger entries. Of one that was
not, the manifest says which jobs there are; those that ended have an
entry that counts, and those that their owner deleted have a mark. If the batch was withdrawn, the
housekeeper cancels what comes back (jobs/batch_work.py).
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice

from pydantic import ValidationError

from jobs.batch import Batch
from jobs.batch_files import BatchFiles
from jobs.batches import Batches
from jobs.restoring import Restorable, Restorer

_CHUNK = 200  # lines of a manifest

log = logging.getLogger(__name__)


class BatchRebuilding:
    """Restores batches; the ledger entries of all their jobs have been restored before."""

    def __init__(self, batches: Batches, files: BatchFiles) -> None:
        self._batches = batches
        self._files = files

    def reconcile(self, restorer: Restorer, *, settled_seconds: float) -> int:
        """Bring back every batch without a record, and return how many that were.

        Args:
            restorer: of their jobs.
            settled_seconds: a batch that was made since is left alone.

        Raises:
            Unavailable: Redis or storage is away; some are back.
        """
        restored = 0
        for ids in self._files.ids():
            known = self._batches.known(ids)
            for batch_id in ids:
                if batch_id not in known:
                    restored += self._restore(batch_id, restorer, settled_seconds)
        return restored

    def _restore(self, batch_id: str, restorer: Restorer, settled_seconds: float) -> bool:
        try:
            batch = self._files.read_batch(batch_id)
        except ValidationError:
            log.exception("batch.json of %s not understood; left alone", batch_id)
            return False
        if batch is None or _age(batch) < settled_seconds:
            return False
        if batch.completed_at is None and batch.deleted_at is None:
            for jobs in self._manifest(batch):
                restorer.write(jobs)
        self._batches.restore(batch.accepted())
        log.warning("batch restored: %s", batch_id)
        return True

    def _manifest(self, batch: Batch) -> Iterator[Sequence[Restorable]]:
        """Yield the jobs of a batch that was not over, as accepted, some at a time."""
        gone = self._files.gone(batch.id)
        lines = iter(self._files.read(batch.id))
        while chunk := list(islice(lines, _CHUNK)):
            yield [Restorable(job=job) for job in chunk if job.id not in gone]


def _age(batch: Batch) -> float:
    return (datetime.now(UTC) - batch.created_at).total_seconds()
