"""Follow many jobs with few requests.

The service takes the jobs of a queue in the order they came. So one request that the service holds
waits for the oldest, those after it are looked at one by one until some in a row are still queued,
and nothing behind them can have begun. A look costs one request for each job that ended or runs,
and a handful more, however many wait. What was weighed: waiting for each job holds a thread of the
service for each; paging through `GET /v1/jobs?tag=` makes it read a hundred records to find the
two that changed, and misses jobs that an earlier run made without the tag.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

from client.errors import ServiceRefused
from client.job import Job
from client.service import Service

_QUEUED_IN_A_ROW = 3  # more than one: retries and other priorities upset the order
_OUT_OF_TURN = 2  # further jobs, each time others: in the end each is looked at
_SHORTEST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 20.0  # jobs that end out of turn are noticed this late


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look found out about a job."""

    job_id: str
    job: Job | None  # None: it cannot be followed any longer
    reason: str = ""  # why not


@dataclass(slots=True, kw_only=True)
class Follower:
    """Knows the jobs that are under way, in the order they were sent.

    `add` and `take` belong to one thread; `look` may run in another one.
    """

    service: Service
    longest_wait_seconds: float = LONGEST_WAIT_SECONDS
    _jobs: OrderedDict[str, None] = field(default_factory=OrderedDict, init=False)
    _wait_seconds: float = field(default=_SHORTEST_WAIT_SECONDS, init=False)
    _turn: int = field(default=0, init=False)

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job_id: str) -> None:
        """Follow one more job."""
        self._jobs[job_id] = None

    def forget(self, seen: Iterable[Seen]) -> None:
        """Follow those that are over no longer; wait longer from look to look if none is."""
        over = [each.job_id for each in seen if each.job is None or each.job.is_over]
        for job_id in over:
            self._jobs.pop(job_id, None)
        longer = min(2 * self._wait_seconds, self.longest_wait_seconds)
        self._wait_seconds = _SHORTEST_WAIT_SECONDS if over else longer

    def plan(self) -> "Look":
        """Return which jobs to look at next."""
        ids = tuple(self._jobs)
        late = ids[_QUEUED_IN_A_ROW:]  # what a look at nothing but queued jobs leaves out
        self._turn += _OUT_OF_TURN
        extra = {late[(self._turn + n) % len(late)] for n in range(_OUT_OF_TURN)} if late else set()
        return Look(
            service=self.service,
            job_ids=ids,
            out_of_turn=frozenset(extra),
            wait_seconds=min(self._wait_seconds, self.longest_wait_seconds),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One round of requests."""

    service: Service
    job_ids: tuple[str, ...]  # oldest first
    out_of_turn: frozenset[str]
    wait_seconds: float

    def take(self) -> list[Seen]:
        """Wait for the oldest job, and see what became of those after it.

        Raises:
            ServiceRefused: the key is no longer known.
            ServiceUnreachable: the service does not answer.
        """
        seen: list[Seen] = []
        queued_in_a_row = 0
        for number, job_id in enumerate(self.job_ids):
            if queued_in_a_row >= _QUEUED_IN_A_ROW and job_id not in self.out_of_turn:
                continue
            found = self._see(job_id, wait_seconds=0 if number else self.wait_seconds)
            seen.append(found)
            is_queued = found.job is not None and found.job.status == "queued"
            queued_in_a_row = queued_in_a_row + 1 if is_queued else 0
        return seen

    def _see(self, job_id: str, *, wait_seconds: float) -> Seen:
        try:
            return Seen(job_id=job_id, job=self.service.job(job_id, wait_seconds=wait_seconds))
        except ServiceRefused as error:
            if error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise
            return Seen(job_id=job_id, job=None, reason=str(error))
