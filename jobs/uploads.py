"""Know which media clients send to object storage by themselves.

    whisperline:upload:<id>        string   an Upload as JSON, forgotten some time after it expired
    whisperline:uploads            zset     ids that no job has taken, by the second they expire
    whisperline:uploads:<owner>    zset     those of them that are this owner's

The bytes are in S3 under `uploads/<id>/media`, and belong to the one job that takes them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import redis

from jobs.job import Job
from jobs.redis_client import Pipe, redis_errors, texts
from jobs.request_errors import TooManyUploads, UploadNotFound
from jobs.upload import Upload

UPLOADS = "whisperline:uploads"
MAX_OPEN = 1000  # uploads of one owner that no job has taken
_KEPT_SECONDS = 7 * 24 * 3600  # the record; what became of an upload can be asked for a week
# What expires is deleted this much later: a request that found it alive is through by then.
_GRACE_SECONDS = 300


class Uploads:
    """The records of uploads."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client

    def add(self, upload: Upload, *, max_open: int = MAX_OPEN) -> None:
        """Write the record of a new upload.

        Raises:
            TooManyUploads: its owner has `max_open` others that no job took; nothing is written.
        """
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.set(record_key(upload.id), upload.model_dump_json(), ex=_KEPT_SECONDS)
            _list(pipe, upload)
            pipe.zcount(_owner_key(upload.owner), upload.created_at.timestamp(), "+inf")
            open_now = int(pipe.execute()[-1])
        # Counted in the step that added it, so that no more than the limit stay.
        if open_now > max_open:
            self.forget(upload.id)
            raise _too_many(max_open)

    def must_have_room(self, owner: str, now: datetime, *, max_open: int = MAX_OPEN) -> None:
        """Raise TooManyUploads where `add` would."""
        with redis_errors():
            if self._redis.zcount(_owner_key(owner), now.timestamp(), "+inf") >= max_open:
                raise _too_many(max_open)

    def get(self, upload_id: str, owner: str) -> Upload:
        """Return an owner's upload.

        Raises:
            UploadNotFound: there is none, or it is somebody else's, or its time ran out.
        """
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.get(record_key(upload_id))
            pipe.time()
            found, now = pipe.execute()
        return _alive(found, upload_id, owner, now)

    def complete(self, upload_id: str, owner: str) -> Upload:
        """Note that all bytes of an upload are there.

        Raises:
            UploadNotFound: there is none, or it is somebody else's, or its time ran out.
        """
        return self._change(upload_id, owner, Upload.completed)

    def withdraw(self, upload_id: str, owner: str) -> Upload:
        """Let an upload's time run out now, so that no job can take it.

        Raises:
            UploadNotFound: there is none, or it is somebody else's, or its time ran out.
            UploadUsed: a job has taken it.
        """
        return self._change(upload_id, owner, Upload.withdrawn)

    def give_back(self, upload_id: str, job_id: str) -> None:
        """Let another job take an upload, as the one that took it did not come to be."""

        def untaken(pipe: Pipe) -> None:
            found = pipe.get(record_key(upload_id))
            upload = _read(found)
            pipe.multi()
            if upload is not None and upload.job_id == job_id:
                upload = upload.model_copy(update={"job_id": None})
                pipe.set(record_key(upload_id), upload.model_dump_json(), keepttl=True)
                _list(pipe, upload)

        with redis_errors():
            self._redis.transaction(untaken, record_key(upload_id))

    def expired(self, now: float, *, limit: int = 1000) -> list[str]:
        """Return ids of uploads that no job took in time, and that no request works on."""
        with redis_errors():
            return texts(self._redis.zrangebyscore(UPLOADS, "-inf", now - _GRACE_SECONDS, 0, limit))

    def find(self, upload_id: str) -> Upload | None:
        """Return the record of an upload, whoever's and however old."""
        with redis_errors():
            found = self._redis.get(record_key(upload_id))
        return _read(found)

    def forget(self, upload_id: str) -> Upload | None:
        """Drop an upload's record, and return it."""
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.getdel(record_key(upload_id))
            pipe.zrem(UPLOADS, upload_id)
            found, _ = pipe.execute()
            upload = _read(found)
            if upload is not None:
                self._redis.zrem(_owner_key(upload.owner), upload_id)
        return upload

    def _change(self, upload_id: str, owner: str, change: Callable[[Upload], Upload]) -> Upload:
        """Write what `change` makes of a record; decide again if another process wrote first."""

        def changed(pipe: Pipe) -> Upload:
            # After WATCH, redis-py sends reads at once, whatever its types say.
            upload = change(_alive(pipe.get(record_key(upload_id)), upload_id, owner, pipe.time()))
            pipe.multi()
            pipe.set(record_key(upload_id), upload.model_dump_json(), keepttl=True)
            if upload.job_id is None:
                _list(pipe, upload)
            return upload

        with redis_errors():
            done = self._redis.transaction(
                changed,  # type: ignore[arg-type]  # typed as if it could return nothing
                record_key(upload_id),
                value_from_callable=True,
            )
        return cast(Upload, done)


@dataclass(slots=True, kw_only=True)
class ClaimedUpload:
    """The condition that an upload is complete and nobody's yet; with the job, it is its media."""

    upload_id: str
    owner: str
    _checked: Upload | None = None

    @property
    def key(self) -> str:
        """Where the upload's record is."""
        return record_key(self.upload_id)

    def check(self, pipe: Pipe) -> None:
        """Raise UploadNotFound, UploadIncomplete or UploadUsed where it is not to be had."""
        upload = _alive(pipe.get(self.key), self.upload_id, self.owner, pipe.time())
        upload.must_be_to_be_had()
        self._checked = upload

    def settle(self, pipe: Pipe, job: Job, now: float) -> None:
        """Queue what makes it the job's."""
        if self._checked is not None:
            taken = self._checked.taken(job.id)
            pipe.set(self.key, taken.model_dump_json(), keepttl=True)
        pipe.zrem(UPLOADS, self.upload_id)
        pipe.zrem(_owner_key(self.owner), self.upload_id)


def _alive(found: object, upload_id: str, owner: str, now: tuple[int, int]) -> Upload:
    """Return an owner's upload whose time, by Redis' own clock, has not run out."""
    upload = _read(found)
    seconds, microseconds = now
    if upload is None or upload.owner != owner or upload.is_over(seconds + microseconds / 1e6):
        msg = f"there is no upload {upload_id}, or its time ran out"
        raise UploadNotFound(msg)
    return upload


def _read(found: object) -> Upload | None:
    return Upload.model_validate_json(found) if isinstance(found, str) else None


def _list(pipe: Pipe, upload: Upload) -> None:
    expires = upload.expires_at.timestamp()
    owners = _owner_key(upload.owner)
    pipe.zadd(UPLOADS, {upload.id: expires})
    pipe.zadd(owners, {upload.id: expires})
    pipe.expire(owners, _KEPT_SECONDS)


def _too_many(max_open: int) -> TooManyUploads:
    return TooManyUploads(
        f"{max_open} of your uploads wait for a job already; submit or delete some of them"
    )


def record_key(upload_id: str) -> str:
    """Return where the record of an upload is."""
    return f"whisperline:upload:{upload_id}"


def _owner_key(owner: str) -> str:
    return f"{UPLOADS}:{owner}"
