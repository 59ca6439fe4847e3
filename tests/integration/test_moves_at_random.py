"""Two workers, a housekeeper and a client move jobs in every order; some things must always hold.

Each step goes through the real store on a real Valkey. Time is told by hand: a lease runs out when
a step says so, and a worker may go on long after it lost its lease, as one that was paused does.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobs.attempt import MAX_ATTEMPTS, Failure, Outcome, SetbackCode, new_lease
from jobs.errors import LeaseLost
from jobs.indexes import LEASES, index_key, queued_key
from jobs.job import Job
from jobs.lanes import Lanes
from jobs.leases import Leases
from jobs.options import Priority
from jobs.request_errors import IllegalMove, JobNotFound, JobPurged
from jobs.stages import Stage
from jobs.status import JobStatus
from jobs.store import JobStore
from tests.jobs_made import a_job

OWNER = "ann"
MOST_JOBS = 2  # that are not over, so that much happens to each
PICK = st.integers(min_value=0, max_value=2)
REFUSED = (IllegalMove, LeaseLost, JobNotFound, JobPurged)


def _progressed(job: Job, token: str, *, stage: Stage, fraction: float) -> Job:
    return job.progressed(token, stage, fraction)


def _set_back(job: Job, token: str, *, code: SetbackCode) -> Job:
    return job.set_back(code, token=token)


OUTCOME = Outcome(language="en", language_confidence=1.0, warnings=(), stages=())
FAILURE = Failure(code="corrupt_media", message="as it is")
Move = Callable[[Job, str], Job]
MOVES_OF_A_WORKER: tuple[Move, ...] = (
    *(
        partial(_progressed, stage=stage, fraction=fraction)
        for stage, fraction in ((Stage.STORE, 0.5), (Stage.DECODE, 0.0), (Stage.ALIGN, 1.0))
    ),
    lambda job, token: job.succeeded(token, OUTCOME),
    lambda job, token: job.failed(FAILURE, token=token),
    lambda job, token: job.put_back(token=token),
    *(partial(_set_back, code=code) for code in SetbackCode),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a worker believes to hold."""

    job_id: str
    token: str


class Moves(RuleBasedStateMachine):
    """Whatever may happen to some jobs."""

    client: ClassVar["redis.Redis"]

    attempts = Bundle("attempts")  # that a worker was given and did not end, as far as it knows

    @initialize()
    def begin(self) -> None:
        self.client.flushall()
        self.store = JobStore(self.client)
        self.leases = Leases(self.client, self.store)
        self.ends: dict[str, Job] = {}  # the first end that was seen of each job, since its retry
        self.progress: dict[str, float] = {}
        self.deleted: set[str] = set()
        self.known: set[str] = set()

    @precondition(lambda self: len(self.known - self.deleted - self.ends.keys()) < MOST_JOBS)
    @rule(priority=st.sampled_from(Priority))
    def submit(self, priority: Priority) -> None:
        job = a_job(owner=OWNER)
        job = job.model_copy(
            update={"options": job.options.model_copy(update={"priority": priority})}
        )
        self.store.add(job)
        self.known.add(job.id)

    @precondition(lambda self: self.known)
    @rule(target=attempts, pick=PICK, is_alone=st.booleans())
    def take(
        self,
        pick: int,
        is_alone: bool,  # noqa: FBT001  # hypothesis names it
    ) -> "Attempt | MultipleResults[Attempt]":
        """A message comes, perhaps a second time, perhaps long after the job ended."""
        job_id = self._picked(pick)
        lease = new_lease("worker", process="p", is_alone=is_alone)
        held = self._held(job_id)
        with suppress(JobNotFound, JobPurged):
            claim = self.leases.claim(job_id, lease)
            if claim.is_mine:
                assert held is None, "given to a second worker while its lease lived"
                assert is_alone or not claim.job.must_be_alone
                return Attempt(job_id=job_id, token=lease.token)
        return multiple()

    @rule(attempt=attempts, move=st.sampled_from(MOVES_OF_A_WORKER))
    def move(self, attempt: Attempt, move: Move) -> None:
        """A worker writes; it comes through if, and only if, the job is still its own."""
        held = self._token(attempt.job_id)
        try:
            self.store.update(attempt.job_id, lambda job: move(job, attempt.token))
        except REFUSED:
            assert held != attempt.token
        else:
            assert held == attempt.token

    @rule(attempt=attempts)
    def renew(self, attempt: Attempt) -> None:
        held = self._token(attempt.job_id)
        with suppress(*REFUSED):
            self.leases.renew(attempt.job_id, attempt.token)
            assert held == attempt.token

    @rule(attempt=attempts, chance=st.integers(min_value=0, max_value=4))
    def finish_while_it_is_canceled(self, attempt: Attempt, chance: int) -> None:
        """Now and then a cancel comes between what the worker reads and what it writes."""
        if chance:
            return  # else hardly a job would live to see anything else
        canceled: list[Job] = []

        def change(job: Job) -> Job:
            if not canceled and not job.status.is_final:
                canceled.append(self.store.update(job.id, Job.canceled))
            return job.succeeded(attempt.token, OUTCOME)

        with suppress(*REFUSED):
            self.store.update(attempt.job_id, change)
        for job in canceled:
            assert self.store.get(job.id) == job

    @precondition(lambda self: self.known)
    @rule(target=attempts, pick=PICK)
    def die_and_be_taken_up(self, pick: int) -> "Attempt | MultipleResults[Attempt]":
        """The worker of a job is killed, alone with it, and another one gets the message."""
        self.client.zadd(LEASES, {self._picked(pick): 1}, xx=True)
        return self.take(pick, is_alone=True)

    @precondition(lambda self: self.known)
    @rule(pick=PICK)
    def let_the_lease_run_out(self, pick: int) -> None:
        self.client.zadd(LEASES, {self._picked(pick): 1}, xx=True)

    @rule()
    def keep_house(self) -> None:
        for job_id in self.leases.expired():
            job = self.leases.put_back_expired(job_id)
            assert job is not None
            assert job.status in (JobStatus.QUEUED, JobStatus.FAILED)
        assert self.leases.expired() == []

    @precondition(lambda self: self.known)
    @rule(pick=PICK)
    def put_back_though_it_lives(self, pick: int) -> None:
        job_id = self._picked(pick)
        held = self._held(job_id)
        with suppress(JobNotFound, JobPurged):
            assert not (self.leases.put_back_expired(job_id) and held)

    @precondition(lambda self: self.known)
    @rule(pick=PICK, wish=st.sampled_from(["cancel", "retry", "retry", "retry", "delete"]))
    def ask(self, pick: int, wish: str) -> None:
        job_id = self._picked(pick)
        with suppress(*REFUSED):
            match wish:
                case "cancel":
                    self.store.update(job_id, Job.canceled)
                case "retry":
                    self.store.update(job_id, Job.retried)
                    self.ends.pop(job_id, None)
                    self.progress.pop(job_id, None)
                case _:
                    self.store.purge(job_id)
                    self.deleted.add(job_id)

    @invariant()
    def every_job_is_there_and_in_its_place(self) -> None:
        for job_id in self.known - self.deleted:
            job = self.store.get(job_id)
            assert 0 <= job.attempt <= MAX_ATTEMPTS
            assert (job.lease is not None) == (job.status is JobStatus.RUNNING)
            self._has_one_end(job)
            self._goes_on(job)
            self._is_indexed(job)

    @invariant()
    def what_is_deleted_stays_deleted(self) -> None:
        for job_id in self.deleted:
            with pytest.raises(JobPurged):
                self.store.get(job_id)
            assert self.client.zscore(LEASES, job_id) is None

    def _picked(self, pick: int) -> str:
        """Return one of the latest jobs."""
        return sorted(self.known)[-1 - pick % len(self.known)]

    def _has_one_end(self, job: Job) -> None:
        if job.status.is_final:
            first = self.ends.setdefault(job.id, job)
            assert job == first
        else:
            assert job.id not in self.ends, "over, and then not"

    def _goes_on(self, job: Job) -> None:
        assert job.progress >= self.progress.get(job.id, 0.0)
        self.progress[job.id] = job.progress

    def _is_indexed(self, job: Job) -> None:
        """A job that waits can be found by who sends messages; one that runs, by who recovers."""
        queue = job.options.priority
        for status in JobStatus:
            listed = self.client.zscore(index_key(OWNER, "status", status), job.id) is not None
            assert listed == (status is job.status)
        is_queued = job.status is JobStatus.QUEUED
        assert (self.client.zscore(queued_key(queue), job.id) is not None) == is_queued
        is_running = job.status is JobStatus.RUNNING
        assert (self.client.zscore(LEASES, job.id) is not None) == is_running
        if is_queued:
            assert Lanes(self.client).position(queue, OWNER, job.id, window=2) is not None

    def _held(self, job_id: str) -> str | None:
        """Return the token of a lease that lives."""
        expires = self.client.zscore(LEASES, job_id)
        if not isinstance(expires, float) or expires <= self.store.now():
            return None
        return self._token(job_id)

    def _token(self, job_id: str) -> str | None:
        with suppress(JobNotFound, JobPurged):
            lease = self.store.get(job_id).lease
            return lease.token if lease else None
        return None


@pytest.fixture
def _moves_on(valkey: "redis.Redis") -> Iterator[None]:
    Moves.client = valkey
    yield
    del Moves.client


@pytest.mark.usefixtures("_moves_on")
def test_whatever_happens_in_whatever_order_a_job_ends_once_and_is_never_lost() -> None:
    run_state_machine_as_test(
        Moves,
        settings=settings(
            max_examples=250,
            stateful_step_count=50,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
