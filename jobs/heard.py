"""Pass on what is recognised while a job still runs.

    whisperline:heard:<job id>     list     HeardSegment as JSON, in the order of time
                                            forgotten KEPT_SECONDS after the last one

It is a convenience for who watches: the transcript is what counts, and comes from storage.
"""

import redis
from pydantic import BaseModel, ConfigDict

from jobs.redis_client import redis_errors, texts
from jobs.store import CHANGES

KEPT_SECONDS = 3600
MOST = 20_000  # of one job; ten hours have about 5,000
PORTION = 200  # read at once, so that no reader holds a whole day's text


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

    def clear(self, job_id: str) -> None:
        """Forget an earlier attempt's."""
        with redis_errors():
            self._redis.delete(_key(job_id))

    def add(self, job_id: str, segment: HeardSegment) -> None:
        """Pass one on, and wake who waits for it."""
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.rpush(_key(job_id), segment.model_dump_json())
            pipe.ltrim(_key(job_id), 0, MOST - 1)
            pipe.expire(_key(job_id), KEPT_SECONDS)
            pipe.publish(CHANGES, job_id)
            pipe.execute()

    def since(self, job_id: str, count: int) -> list[HeardSegment]:
        """Return those after the first `count`, PORTION at most."""
        with redis_errors():
            found = texts(self._redis.lrange(_key(job_id), count, count + PORTION - 1))
        return [HeardSegment.model_validate_json(each) for each in found]


def _key(job_id: str) -> str:
    return f"whisperline:heard:{job_id}"
