"""Read and write what lies in Redis of a batch, beside the records of its jobs.

    whisperline:batch:<id>                  string   the Batch as JSON
    whisperline:batches:<owner>             zset     the owner's batch ids, every score 0
    whisperline:batches_open                set      batches that are not over, or that the
                                                     housekeeper has to look at again
    whisperline:batches_promised:<owner>    hash     jobs of a batch that are accepted, but not
                                                     written down yet: they count as waiting
    whisperline:batch_purged:<id>           string   its owner: deleted, kept to answer 410

Which jobs a batch has, and how many stand where, is in `jobs/indexes.py`.
"""

from jobs.batch import Batch
from jobs.redis_client import Pipe

OPEN = "whisperline:batches_open"


def batch_key(batch_id: str) -> str:
    """Return where the record of a batch is."""
    return f"whisperline:batch:{batch_id}"


def owners_key(owner: str) -> str:
    """Return where the ids of an owner's batches are."""
    return f"whisperline:batches:{owner}"


def promised_key(owner: str) -> str:
    """Return where an owner's jobs are counted that are not written down yet."""
    return f"whisperline:batches_promised:{owner}"


def purged_key(batch_id: str) -> str:
    """Return where the owner of a deleted batch is."""
    return f"whisperline:batch_purged:{batch_id}"


def write(pipe: Pipe, batch: Batch) -> None:
    """Queue what makes the record say `batch`."""
    pipe.set(batch_key(batch.id), batch.model_dump_json(exclude_defaults=True))


def read(found: object) -> Batch | None:
    """Return the batch of a record; None: there is none."""
    return Batch.model_validate_json(found) if isinstance(found, str) else None
