"""Keep what lists, limits and figures read beside the records, in the same step as the record.

    whisperline:owner:<owner>                     zset    the owner's job ids
    whisperline:index:<owner>:<field>:<value>     zset    those of them with this status, tag,
                                                          external_id or batch_id
    whisperline:queued:<queue>                    zset    queued ids by the second they came there
    whisperline:batch_counts:<batch id>           hash    status to number of the batch's jobs
    whisperline:queued_bytes:<queue>              string  bytes of media that wait there
    whisperline:queued_unsized:<queue>            string  jobs there whose media has no known size
    whisperline:leases                            zset    running ids by the second of expiry
    whisperline:expiring                          zset    ids that are over by the second of purge
    whisperline:expiring_media                    zset    those whose media goes before, likewise
    whisperline:ledger_due                        zset    ids whose ledger entry may be behind, by
                                                          the second of the change
    whisperline:uploads_used                      set     uploads that are the media of a job
    whisperline:usage:<owner>:<day>               hash    jobs and seconds that ended on a UTC day
    whisperline:pace                              hash    bytes, audio and work of all successes

In the first two every score is 0: ids sort by time, so a page of any of them costs the same however
many jobs there are.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from jobs import lanes, sweeping
from jobs.job import Job
from jobs.options import Priority
from jobs.redis_client import Pipe
from jobs.source import UploadSource
from jobs.status import JobStatus

LEASE_SECONDS = 30.0  # three heartbeats; a dead worker's job waits this long at most
USAGE_SECONDS = 800 * 24 * 3600  # two years and a bit: this year beside the last
LEASES = "whisperline:leases"
EXPIRING = "whisperline:expiring"
EXPIRING_MEDIA = "whisperline:expiring_media"
LEDGER_DUE = "whisperline:ledger_due"
UPLOADS_USED = "whisperline:uploads_used"
PACE = "whisperline:pace"


def owner_key(owner: str) -> str:
    """Return where an owner's ids are."""
    return f"whisperline:owner:{owner}"


def index_key(owner: str, field: str, value: str) -> str:
    """Return where the ids of an owner's jobs with this value of a field are."""
    return f"whisperline:index:{owner}:{field}:{value}"


def queued_key(queue: Priority) -> str:
    """Return where the ids of a queue are."""
    return f"whisperline:queued:{queue}"


def queued_bytes_key(queue: Priority) -> str:
    """Return where a queue's bytes are counted."""
    return f"whisperline:queued_bytes:{queue}"


def queued_unsized_key(queue: Priority) -> str:
    """Return where a queue's jobs without a known size are counted."""
    return f"whisperline:queued_unsized:{queue}"


def batch_counts_key(batch_id: str) -> str:
    """Return where a batch's jobs are counted by status."""
    return f"whisperline:batch_counts:{batch_id}"


def usage_key(owner: str, day: str) -> str:
    """Return where an owner's use of a day (as 2026-11-22) is counted."""
    return f"whisperline:usage:{owner}:{day}"


def keep(pipe: Pipe, job: Job, *, was: Job | None, now: float, is_restored: bool = False) -> None:
    """Queue what makes all indexes say `job`.

    Args:
        pipe: in MULTI.
        job: the record.
        was: the record before; None for a new one.
        now: the second, by Redis' clock.
        is_restored: whether it comes from the ledger: it is not written there again, and what
            waits does so since it was made.
    """
    if job.status is JobStatus.RUNNING:
        pipe.zadd(LEASES, {job.id: now + LEASE_SECONDS})
    if was is None:
        _keep_lasting(pipe, job)
    if was is None or was.status is not job.status:
        _move(pipe, job, was, job.created_at.timestamp() if is_restored else now)
    if not is_restored and (job.status.is_final or (was is not None and was.status.is_final)):
        pipe.zadd(LEDGER_DUE, {job.id: now})
    if was is None or was.expires_at != job.expires_at:
        _keep_expiry(pipe, job)
    if was is None or was.media_expires_at != job.media_expires_at:
        _keep_media_expiry(pipe, job)


def forget(pipe: Pipe, job: Job) -> None:
    """Queue what takes a job out of every index; what it used stays counted."""
    sweeping.erase(pipe, job)
    for key in _lasting(job):
        pipe.zrem(key, job.id)
    for key in (EXPIRING, EXPIRING_MEDIA, LEDGER_DUE):
        pipe.zrem(key, job.id)
    if isinstance(job.source, UploadSource):
        pipe.srem(UPLOADS_USED, job.source.upload_id)
    lanes.settle(pipe, job.options.priority, job.owner, job.id)
    _leave(pipe, job)


def _lasting(job: Job) -> Iterator[str]:
    """Yield the indexes that a job never leaves while it exists."""
    yield owner_key(job.owner)
    if job.options.external_id is not None:
        yield index_key(job.owner, "external_id", job.options.external_id)
    if job.batch_id is not None:
        yield index_key(job.owner, "batch_id", job.batch_id)
    for tag in set(job.options.tags):
        yield index_key(job.owner, "tag", tag)


def _keep_lasting(pipe: Pipe, job: Job) -> None:
    for key in _lasting(job):
        pipe.zadd(key, {job.id: 0})
    if isinstance(job.source, UploadSource):
        pipe.sadd(UPLOADS_USED, job.source.upload_id)


def _move(pipe: Pipe, job: Job, was: Job | None, now: float) -> None:
    if was is not None:
        _leave(pipe, was)
    pipe.zadd(index_key(job.owner, "status", job.status), {job.id: 0})
    if job.batch_id is not None:
        pipe.hincrby(batch_counts_key(job.batch_id), str(job.status), 1)
    if job.status is JobStatus.QUEUED:
        since = _may_go_at(job, was, now)
        lanes.put(pipe, job.options.priority, job.owner, job.id, since=since)
        pipe.zadd(queued_key(job.options.priority), {job.id: now})
        pipe.incrby(queued_bytes_key(job.options.priority), job.media.bytes or 0)
        pipe.incrby(queued_unsized_key(job.options.priority), int(job.media.bytes is None))
    elif job.status is JobStatus.RUNNING:
        lanes.settle(pipe, job.options.priority, job.owner, job.id)
    elif job.status.is_final:
        _count(pipe, job)


def _may_go_at(job: Job, was: Job | None, now: float) -> float:
    if job.pause_seconds:
        return now + job.pause_seconds
    # What a dead worker had comes before all that its owner sent later.
    is_recovered = was is not None and was.status is JobStatus.RUNNING
    return job.created_at.timestamp() if is_recovered else now


def _keep_expiry(pipe: Pipe, job: Job) -> None:
    if job.expires_at is None:
        pipe.zrem(EXPIRING, job.id)
    else:
        pipe.zadd(EXPIRING, {job.id: job.expires_at.timestamp()})


def _keep_media_expiry(pipe: Pipe, job: Job) -> None:
    if job.media_expires_at is None:
        pipe.zrem(EXPIRING_MEDIA, job.id)
    else:
        pipe.zadd(EXPIRING_MEDIA, {job.id: job.media_expires_at.timestamp()})


def _leave(pipe: Pipe, job: Job) -> None:
    pipe.zrem(index_key(job.owner, "status", job.status), job.id)
    if job.batch_id is not None:
        pipe.hincrby(batch_counts_key(job.batch_id), str(job.status), -1)
    if job.status is JobStatus.QUEUED:
        lanes.withdraw(pipe, job.options.priority, job.owner, job.id)
        pipe.zrem(queued_key(job.options.priority), job.id)
        pipe.decrby(queued_bytes_key(job.options.priority), job.media.bytes or 0)
        pipe.decrby(queued_unsized_key(job.options.priority), int(job.media.bytes is None))
    elif job.status is JobStatus.RUNNING:
        pipe.zrem(LEASES, job.id)


def _count(pipe: Pipe, job: Job) -> None:
    """Add a job that is over to its owner's day, and a success to the pace of all."""
    # The day on which it ended: one that comes from the ledger did so long ago.
    ended_at = job.finished_at or datetime.now(UTC)
    day = usage_key(job.owner, ended_at.astimezone(UTC).date().isoformat())
    audio, work = job.media.seconds or 0.0, job.processing_seconds or 0.0
    pipe.hincrby(day, str(job.status), 1)
    pipe.hincrby(day, "media_bytes", job.media.bytes or 0)
    pipe.hincrbyfloat(day, "audio_seconds", audio)
    pipe.hincrbyfloat(day, "processing_seconds", work)
    pipe.expire(day, USAGE_SECONDS)
    if job.status is JobStatus.SUCCEEDED and job.media.bytes and audio:
        pipe.hincrby(PACE, "jobs", 1)
        pipe.hincrby(PACE, "media_bytes", job.media.bytes)
        pipe.hincrbyfloat(PACE, "audio_seconds", audio)
        pipe.hincrbyfloat(PACE, "processing_seconds", work)
