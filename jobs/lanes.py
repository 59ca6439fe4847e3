"""Let those who share a queue take turns, however much each of them sends.

Celery's queues are first come, first served: ten thousand messages of one owner would go before
the one of another. So everything waits in a lane of its own (an owner's jobs, a host's webhooks)
and each lane has only a few messages in a queue; as one is taken, the lane's next one is sent.

    whisperline:lanes:<queue>           zset   lanes with anything in them, by the second from which
                                               something may go; +inf: all of it was sent
    whisperline:ready:<queue>:<lane>    zset   ids that wait, by the second from which they may go
    whisperline:sent:<queue>:<lane>     zset   ids with a message under way, by the second it was
                                               sent

An id goes into `ready` in the step that writes its record and out of `sent` in the step that takes
it, so that a record which waits is always in one of them. Why: docs/decisions/0011.
"""

from collections.abc import Callable, Sequence
from typing import cast

import redis

from jobs.redis_client import Pipe, redis_errors, texts

JOBS_WINDOW = 2  # messages of one owner in a queue: one to be taken while the next is on its way


# Scripts, unlike what else is written: whoever takes or adds anything does this, so that under
# load hardly a WATCH on a lane would ever come through.
_NEXT = """
local room = tonumber(ARGV[2]) - redis.call('ZCARD', KEYS[3])
local ids = {}
if room > 0 then
  ids = redis.call('ZRANGE', KEYS[2], '-inf', ARGV[3], 'BYSCORE', 'LIMIT', 0, room)
end
for _, id in ipairs(ids) do
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZADD', KEYS[3], ARGV[3], id)
end
local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if first[1] then
  redis.call('ZADD', KEYS[1], first[2], ARGV[1])
elseif redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('ZADD', KEYS[1], '+inf', ARGV[1])
else
  redis.call('ZREM', KEYS[1], ARGV[1])
end
return ids
"""
_BEFORE = """
local function card(kind, lane)
  return redis.call('ZCARD', 'whisperline:' .. kind .. ':' .. ARGV[1] .. ':' .. lane)
end
local function rank(kind)
  return redis.call('ZRANK', 'whisperline:' .. kind .. ':' .. ARGV[1] .. ':' .. ARGV[2], ARGV[3])
end
local mine = rank('sent')
if not mine then
  mine = rank('ready')
  if not mine then return -1 end
  mine = mine + card('sent', ARGV[2])
end
local before = mine
for _, lane in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if lane ~= ARGV[2] then
    before = before + math.min(card('sent', lane) + card('ready', lane), mine + tonumber(ARGV[4]))
  end
end
return before
"""


def put(pipe: Pipe, queue: str, lane: str, member: str, *, since: float) -> None:
    """Queue what makes an id wait in a lane; it goes at the second `since`, or later."""
    pipe.zadd(_lanes(queue), {lane: since}, lt=True)
    pipe.zadd(_ready(queue, lane), {member: since})


def hasten(pipe: Pipe, queue: str, lane: str, member: str, *, since: float) -> None:
    """Queue what lets an id that still waits in a lane go at another second."""
    pipe.zadd(_lanes(queue), {lane: since}, lt=True, xx=True)
    pipe.zadd(_ready(queue, lane), {member: since}, xx=True)


def withdraw(pipe: Pipe, queue: str, lane: str, member: str) -> None:
    """Queue what makes an id wait no longer; a message under way comes to nothing."""
    pipe.zrem(_ready(queue, lane), member)


def settle(pipe: Pipe, queue: str, lane: str, member: str) -> None:
    """Queue what frees the place of a message that was taken."""
    pipe.zrem(_sent(queue, lane), member)


def is_sent(pipe: Pipe, queue: str, lane: str, member: str) -> bool:
    """Whether the message of an id is under way; asks at once, on a pipe that watches."""
    return pipe.zscore(_sent(queue, lane), member) is not None


class Lanes:
    """The lanes of all queues.

    Args:
        client: of the Redis.
        now: seconds since 1970; None: Redis' own.
    """

    def __init__(self, client: "redis.Redis", *, now: Callable[[], float] | None = None) -> None:
        self._redis = client
        self._now = now
        self._next = client.register_script(_NEXT)
        self._before = client.register_script(_BEFORE)

    def next(self, queue: str, lane: str, *, window: int) -> list[str]:
        """Return ids whose messages are to be sent now, so that at most `window` are under way."""
        with redis_errors():
            keys = [_lanes(queue), _ready(queue, lane), _sent(queue, lane)]
            return texts(self._next(keys=keys, args=[lane, window, self.now()]))

    def all(self, queue: str) -> list[str]:
        """Return the lanes of a queue that have anything in them."""
        with redis_errors():
            return texts(self._redis.zrange(_lanes(queue), 0, -1))

    def due(self, queue: str) -> list[str]:
        """Return the lanes of a queue from which something may go by now, if there is room."""
        with redis_errors():
            return texts(self._redis.zrangebyscore(_lanes(queue), "-inf", self.now()))

    def sent_before(self, queue: str, lane: str, *, seconds: float) -> list[str]:
        """Return ids whose messages were sent at least `seconds` ago and not taken."""
        with redis_errors():
            key = _sent(queue, lane)
            return texts(self._redis.zrangebyscore(key, "-inf", self.now() - seconds))

    def sent_again(self, queue: str, lane: str, members: Sequence[str]) -> None:
        """Note that messages of these ids, of which none was taken since, are sent once more."""
        with redis_errors():
            now = self.now()
            self._redis.zadd(_sent(queue, lane), dict.fromkeys(members, now), xx=True)

    def position(self, queue: str, lane: str, member: str, *, window: int) -> int | None:
        """Say how many go first, if nobody comes in between; None: it does not wait here."""
        with redis_errors():
            before = self._before(keys=[_lanes(queue)], args=[queue, lane, member, window])
        return None if int(cast("int", before)) < 0 else int(cast("int", before))

    def now(self) -> float:
        """Return the time that lanes go by, in seconds."""
        if self._now is not None:
            return self._now()
        seconds, microseconds = self._redis.time()
        return float(seconds + microseconds / 1e6)


def _lanes(queue: str) -> str:
    return f"whisperline:lanes:{queue}"


def _ready(queue: str, lane: str) -> str:
    return f"whisperline:ready:{queue}:{lane}"


def _sent(queue: str, lane: str) -> str:
    return f"whisperline:sent:{queue}:{lane}"
