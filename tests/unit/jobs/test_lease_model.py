"""Every order in which two workers, a queue, a clock and a housekeeper can treat one job.

The model of docs/decisions/0013: the moves are those of `Job` itself, what Redis does in one step
is one step here, and all that can come next is tried from every state that can be reached. There
are a few hundred, so this is a proof for one job, two workers, two messages and one cancel.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import pytest

from jobs.attempt import MAX_ATTEMPTS, Lease, Outcome, SetbackCode
from jobs.errors import LeaseLost
from jobs.job import Job
from jobs.request_errors import IllegalMove
from jobs.status import JobStatus
from tests.jobs_made import a_job

OUTCOME = Outcome(language=None, language_confidence=None, warnings=(), stages=())
MOST_MESSAGES = 2
MOST_STATES = 5000
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class State:
    """All there is."""

    record: str  # the job as JSON, which can be compared and hashed
    is_lease_alive: bool
    messages: int
    believes: tuple[str | None, str | None]  # which token each worker shows
    tokens: int  # given so far
    ends: int  # moves into a final status
    may_cancel: bool

    @property
    def job(self) -> Job:
        """The job of the record."""
        return Job.model_validate_json(self.record)


def written(job: Job) -> str:
    """Return a record without what only tells when: two orders that differ by it are the same."""
    setbacks = tuple(each.model_copy(update={"at": NOON}) for each in job.setbacks)
    times = dict.fromkeys(("started_at", "finished_at", "told_at"))
    return job.model_copy(update={**times, "setbacks": setbacks}).model_dump_json()


def moved(state: State, job: Job, **changes: object) -> State:
    """Return the state after the record was written."""
    is_end = job.status.is_final
    return replace(state, record=written(job), ends=state.ends + is_end, **changes)  # type: ignore[arg-type]


def claims(state: State) -> Iterator[State]:
    """A worker takes a message; Redis gives it the job, or does not."""
    if not state.messages:
        return
    rest = replace(state, messages=state.messages - 1)
    job = state.job
    if job.status.is_final or (job.status is JobStatus.RUNNING and state.is_lease_alive):
        yield rest
        return
    waiting = job.set_back(SetbackCode.CRASHED) if job.status is JobStatus.RUNNING else job
    if waiting.status.is_final:
        yield moved(rest, waiting, is_lease_alive=False)
        return
    token = str(state.tokens)
    claimed = waiting.claimed(Lease(token=token, worker="w"))
    for believes in ((token, state.believes[1]), (state.believes[0], token)):
        yield moved(rest, claimed, is_lease_alive=True, believes=believes, tokens=state.tokens + 1)


def works(state: State) -> Iterator[State]:
    """A worker ends its job, well or badly, or hands it back; or it dies without a word."""
    for number, token in enumerate(state.believes):
        if token is None:
            continue
        believes = (None, state.believes[1]) if number == 0 else (state.believes[0], None)
        yield replace(state, believes=believes)
        for move in (
            partial(Job.succeeded, token=token, outcome=OUTCOME),
            partial(Job.put_back, token=token),
            partial(Job.set_back, code=SetbackCode.OUT_OF_MEMORY, token=token),
        ):
            try:
                after = move(state.job)
            except (LeaseLost, IllegalMove):
                continue
            assert state.job.lease is not None
            assert state.job.lease.token == token, "a worker moved what is another's"
            yield moved(state, after, believes=believes, is_lease_alive=False)


def others(state: State) -> Iterator[State]:
    """Time passes; the housekeeper makes a round; a message comes twice; the client cancels."""
    job = state.job
    if state.is_lease_alive:
        yield replace(state, is_lease_alive=False)
    elif job.status is JobStatus.RUNNING:
        yield moved(state, job.set_back(SetbackCode.CRASHED))
    if job.status is JobStatus.QUEUED and not state.messages:
        yield replace(state, messages=1)  # lost, or never sent: the housekeeper sends it
    if 0 < state.messages < MOST_MESSAGES:
        yield replace(state, messages=state.messages + 1)
    if state.may_cancel:
        with suppress(IllegalMove):
            yield moved(state, job.canceled(), may_cancel=False, is_lease_alive=False)


def following(state: State) -> Iterator[State]:
    """Yield all that can come next. A token is as good as any other that is not in use."""
    for after in (*claims(state), *works(state), *others(state)):
        yield named_anew(after)


def named_anew(state: State) -> State:
    """Number the tokens that anybody knows from 0, so that there are finitely many states."""
    lease = state.job.lease
    known = [*(token for token in state.believes if token), *([lease.token] if lease else [])]
    names = {token: str(number) for number, token in enumerate(dict.fromkeys(known))}
    first, second = (names[token] if token else None for token in state.believes)
    job = state.job
    if lease is not None:
        renamed = lease.model_copy(update={"token": names[lease.token]})
        job = job.model_copy(update={"lease": renamed})
    setbacks = tuple(each.model_copy(update={"attempt": 0}) for each in job.setbacks)[-2:]
    job = job.model_copy(update={"setbacks": setbacks})
    return replace(state, record=written(job), believes=(first, second), tokens=len(names))


def all_states() -> dict[State, set[State]]:
    """Return every state that can be reached, and what can follow it."""
    begin = State(written(a_job()), False, 1, (None, None), 0, 0, True)  # noqa: FBT003
    found: dict[State, set[State]] = {}
    to_do = [begin]
    while to_do:
        state = to_do.pop()
        assert len(found) < MOST_STATES, "something has no bound"
        if state not in found:
            found[state] = set(following(state))
            to_do.extend(found[state])
    return found


@pytest.fixture(scope="module")
def states() -> dict[State, set[State]]:
    return all_states()


def test_there_is_something_to_prove(states: dict[State, set[State]]) -> None:
    assert {state.job.status for state in states} == set(JobStatus)
    assert any(None not in state.believes for state in states), "two at once believe it is theirs"
    assert any(state.messages == MOST_MESSAGES for state in states)


def test_a_job_ends_once_in_every_order(states: dict[State, set[State]]) -> None:
    assert max(state.ends for state in states) == 1
    for state, after in states.items():
        if state.job.status.is_final:
            assert {each.record for each in after} <= {state.record}


def test_a_job_is_tried_at_most_three_times_in_every_order(
    states: dict[State, set[State]],
) -> None:
    assert {state.job.attempt for state in states} == set(range(MAX_ATTEMPTS + 1))


def test_a_job_can_end_from_wherever_it_got(states: dict[State, set[State]]) -> None:
    ends = {state for state in states if state.job.status.is_final}
    before: dict[State, set[State]] = {}
    for state, after in states.items():
        for each in after:
            before.setdefault(each, set()).add(state)
    reached, to_do = set(ends), list(ends)
    while to_do:
        for state in before.get(to_do.pop(), ()):
            if state not in reached:
                reached.add(state)
                to_do.append(state)

    assert reached == set(states)
