"""Pass on what is recognised while a job still runs.

    whisperline:heard:<job id>     list     HeardSegment as JSON, in the order of time
                                            forgotten KEPT_SECONDS after the last one, and with
                                            the job

It is a convenience for who watches: the transcript is what counts, and comes from storage.
"""

import redis
from pydantic import BaseModel, ConfigDict

from jobs.redis_client import redis_errors, texts
from jobs.store import CHANGES, job_key
from jobs.sweeping import heard_key

KEPT_SECONDS = 3600
MOST = 20_000  # of one job; ten hours have about 5,000
PORTION = 200  # read at once, so that no reader holds a whole day's text
# Of a deleted job nothing is kept, though its worker may not know of that yet.
_ADD = """
if redis.call('EXISTS', KEYS[2]) == 0 then return end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
"""


class HeardSegment(BaseModel):
    """Some text as soon as it is recognised, before its words have times and speakers."""

    model_config = ConfigDict(frozen=True)

    attempt: int
    start: float  # seconds, on the media's clock
    end: float
    text: str  # with the white space around it: joined, they are the whole text


class Heard:
    """What was recognised of each running job."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client
        self._add = client.register_script(_ADD)

    def clear(self, job_id: str) -> None:
        """Forget an earlier attempt's."""
        with redis_errors():
            self._redis.delete(heard_key(job_id))

    def add(self, job_id: str, segment: HeardSegment) -> None:
        """Pass one on, and wake who waits for it; nothing happens if the job is deleted."""
        with redis_errors():
            self._add(
                keys=[heard_key(job_id), job_key(job_id)],
                args=[segment.model_dump_json(), MOST, KEPT_SECONDS, CHANGES, job_id],
            )

    def since(self, job_id: str, count: int) -> list[HeardSegment]:
        """Return those after the first `count`, PORTION at most."""
        with redis_errors():
            found = texts(self._redis.lrange(heard_key(job_id), count, count + PORTION - 1))
        return [HeardSegment.model_validate_json(each) for each in found]
