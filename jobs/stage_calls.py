"""Let the process that runs a job and those that do its stages know of each other.

    whisperline:stage:<call>:wanted   string   yes, or no: the run is over; forgotten
                                               WANTED_SECONDS after the run was last heard of
    whisperline:stage:<call>:taken    hash     by: the process that does it, fraction: how much of
                                               it is done, 0 to 1; forgotten TAKEN_SECONDS after
                                               that process was last heard of
    whisperline:stage:<call>:news     list     StageNews; forgotten NEWS_SECONDS after the last

A call is `StageCall.id`. The lease stays with the process that runs the job: nothing here decides
about a job, and all of it may be lost with no more harm than a stage done twice.
"""

from dataclasses import dataclass
from enum import StrEnum

import redis

from jobs.redis_client import redis_errors
from jobs.stage_call import StageCall

WANTED_SECONDS = 20  # said again every second, or two
TAKEN_SECONDS = 10  # ten pulses
NEWS_SECONDS = 600

# What was refused is not wanted again by a thread that does not know of it yet.
_WANT = """
if redis.call('GET', KEYS[1]) ~= 'no' then redis.call('SET', KEYS[1], 'yes', 'EX', ARGV[1]) end
"""
# Whoever comes second gets nothing; nor does anybody where no run waits.
_TAKE = """
if redis.call('GET', KEYS[1]) ~= 'yes' then return 0 end
local by = redis.call('HGET', KEYS[2], 'by')
if by and by ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], 'by', ARGV[1], 'fraction', '0')
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
"""
_PULSE = """
local by = redis.call('HGET', KEYS[2], 'by')
if by and by ~= ARGV[1] then return 'no' end
redis.call('HSET', KEYS[2], 'by', ARGV[1], 'fraction', ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return redis.call('GET', KEYS[1]) or ''
"""
_LET_GO = """
local by = redis.call('HGET', KEYS[2], 'by')
if by and by ~= ARGV[1] then return end
redis.call('DEL', KEYS[2])
redis.call('RPUSH', KEYS[3], ARGV[2])
redis.call('EXPIRE', KEYS[3], ARGV[3])
"""


class StageNews(StrEnum):
    """What the process that did a stage says when it lets go of it."""

    DONE = "done"  # what came of it is in storage
    RELEASED = "released"  # another process has to do it; this one ends
    FAILED = "failed"  # something that it needs is away, or nobody waits any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A call in work."""

    by: str  # the process
    fraction: float  # that is done


class StageCalls:
    """The calls of all runs."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client
        self._want = client.register_script(_WANT)
        self._take = client.register_script(_TAKE)
        self._pulse = client.register_script(_PULSE)
        self._let_go = client.register_script(_LET_GO)

    def want(self, call: StageCall) -> None:
        """Say that a run waits for a call, for WANTED_SECONDS from now, unless it was refused."""
        with redis_errors():
            self._want(keys=[_wanted(call)], args=[WANTED_SECONDS])

    def refuse(self, call: StageCall) -> None:
        """Say that nobody waits for a call any more, for good."""
        with redis_errors():
            self._redis.set(_wanted(call), "no", ex=NEWS_SECONDS)

    def news(self, call: StageCall, *, seconds: float) -> StageNews | None:
        """Return what is said of a call, and wait for it; None: nothing in that time.

        Args:
            call: of a run of this process; what is read is gone.
            seconds: to wait; less than the client waits for an answer.
        """
        with redis_errors():
            found = self._redis.blpop([_news(call)], timeout=seconds)
        return StageNews(str(found[1])) if found else None

    def taken(self, call: StageCall) -> Taken | None:
        """Return who does a call; None: nobody, or somebody who was not heard of lately."""
        with redis_errors():
            by, fraction = self._redis.hmget(_taken(call), "by", "fraction")
        return Taken(by=str(by), fraction=float(fraction or 0.0)) if by else None

    def take(self, call: StageCall, process: str) -> bool:
        """Give a call to a process, unless another one has it, or nobody waits for it."""
        with redis_errors():
            return bool(self._take(keys=_keys(call), args=[process, TAKEN_SECONDS]))

    def pulse(self, call: StageCall, process: str, fraction: float) -> bool | None:
        """Say that a process still does a call, and how much of it is done.

        Returns:
            Whether it is to go on; None: the run was not heard of lately.
        """
        with redis_errors():
            wanted = self._pulse(keys=_keys(call), args=[process, TAKEN_SECONDS, fraction])
        return wanted == "yes" if wanted else None

    def let_go(self, call: StageCall, process: str, news: StageNews) -> None:
        """Tell the run that a process is at the end of a call, unless another one has it."""
        with redis_errors():
            self._let_go(keys=_keys(call), args=[process, news, NEWS_SECONDS])


def _keys(call: StageCall) -> list[str]:
    return [_wanted(call), _taken(call), _news(call)]


def _wanted(call: StageCall) -> str:
    return f"whisperline:stage:{call.id}:wanted"


def _taken(call: StageCall) -> str:
    return f"whisperline:stage:{call.id}:taken"


def _news(call: StageCall) -> str:
    return f"whisperline:stage:{call.id}:news"
