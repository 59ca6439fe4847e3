from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from jobs.attempt import Failure, Outcome, SetbackCode, new_lease
from jobs.errors import LeaseLost
from jobs.ids import first_id_at, new_id
from jobs.job import Job
from jobs.media import Media
from jobs.options import JobOptions
from jobs.request_errors import IllegalMove
from jobs.source import UrlSource
from jobs.stages import Stage
from jobs.status import MOVES, JobStatus
from tests.jobs_made import a_job

OUTCOME = Outcome(language="en", language_confidence=0.9, warnings=(), stages=())
FAILURE = Failure(code="corrupt_media", message="send it again")


def running() -> tuple[Job, str]:
    lease = new_lease("w")
    return a_job().claimed(lease), lease.token


def in_status(status: JobStatus) -> Job:
    job, token = running()
    return {
        JobStatus.QUEUED: a_job(),
        JobStatus.RUNNING: job,
        JobStatus.SUCCEEDED: job.succeeded(token, OUTCOME),
        JobStatus.FAILED: job.failed(FAILURE, token=token),
        JobStatus.CANCELED: job.canceled(),
    }[status]


@pytest.mark.parametrize(("before", "after"), list(product(JobStatus, JobStatus)))
def test_a_job_makes_exactly_the_moves_of_the_table(before: JobStatus, after: JobStatus) -> None:
    job = in_status(before)
    token = job.lease.token if job.lease else "none"
    moves = {
        JobStatus.QUEUED: job.retried if before.is_final else job.put_back,
        JobStatus.RUNNING: lambda: job.claimed(new_lease("other")),
        JobStatus.SUCCEEDED: lambda: job.succeeded(token, OUTCOME),
        JobStatus.FAILED: lambda: job.failed(FAILURE),
        JobStatus.CANCELED: job.canceled,
    }

    if after in MOVES[before]:
        assert moves[after]().status is after
    else:
        with pytest.raises((IllegalMove, LeaseLost)):
            moves[after]()


@pytest.mark.parametrize("status", [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED])
def test_a_finished_job_holds_no_lease_and_no_stage(status: JobStatus) -> None:
    job = in_status(status)

    assert status.is_final
    assert job.lease is None
    assert job.stage is None
    assert job.finished_at is not None


def test_only_the_holder_of_the_lease_may_move_a_running_job() -> None:
    job, _ = running()

    with pytest.raises(LeaseLost):
        job.succeeded("stolen", OUTCOME)
    with pytest.raises(LeaseLost):
        job.failed(FAILURE, token="stolen")
    with pytest.raises(LeaseLost):
        job.put_back(token="stolen")
    with pytest.raises(LeaseLost):
        job.progressed("stolen", Stage.ALIGN, 0.5)


def test_progress_rises_through_the_stages_and_never_falls() -> None:
    job, token = running()
    seen = []
    for stage, fraction in product(Stage, (0.0, 0.5, 1.0)):
        job = job.progressed(token, stage, fraction)
        seen.append(job.progress)

    assert seen == sorted(seen)
    assert seen[0] == 0.0
    assert seen[-1] == pytest.approx(1.0)
    assert job.progressed(token, Stage.FETCH, 0.0).progress == seen[-1]


def test_a_job_that_is_handed_back_may_keep_its_attempt() -> None:
    job, token = running()

    assert job.put_back(token=token, costs_attempt=True).attempt == 1
    assert job.put_back(token=token).attempt == 0


def test_ids_sort_by_time_and_never_repeat() -> None:
    ids = [new_id("job", datetime.now(UTC)) for _ in range(1000)]

    assert len(set(ids)) == len(ids)
    times = [job_id[:16] for job_id in ids]
    assert times == sorted(times)


def test_an_id_stands_behind_the_first_one_of_its_moment() -> None:
    moment = datetime(2026, 11, 22, 12, 0, 0, 123_456, tzinfo=UTC)

    assert first_id_at("job", moment) < new_id("job", moment)
    assert new_id("job", moment) < first_id_at("job", moment + timedelta(milliseconds=1))


def test_a_job_that_is_retried_begins_anew() -> None:
    job = in_status(JobStatus.FAILED).kept_for(1)

    again = job.retried()

    assert (again.status, again.attempt, again.progress) == (JobStatus.QUEUED, 0, 0.0)
    assert again.failure is None
    assert again.finished_at is None
    assert again.expires_at is None
    with pytest.raises(IllegalMove):
        again.retried()
    with pytest.raises(IllegalMove):
        in_status(JobStatus.SUCCEEDED).retried()


def test_a_job_that_is_over_expires_after_its_own_days_or_those_of_the_service() -> None:
    job = in_status(JobStatus.SUCCEEDED)
    own = job.model_copy(update={"options": JobOptions(retention_days=2)})
    assert job.finished_at is not None

    assert job.kept_for(0).expires_at is None
    assert job.kept_for(7).expires_at == job.finished_at + timedelta(days=7)
    assert own.kept_for(7).expires_at == job.finished_at + timedelta(days=2)
    assert in_status(JobStatus.RUNNING).kept_for(7).expires_at is None


def test_what_opened_an_address_is_forgotten_once_the_media_is_fetched() -> None:
    headers = {"Authorization": "secret"}
    source = UrlSource(type="url", url="https://example.org/a.mp3", headers=headers)
    job, token = running()
    job = job.model_copy(update={"source": source, "media": Media(filename="a.mp3")})
    assert not job.is_media_kept

    fetched = job.fetched(token, Media(filename="a.mp3", bytes=3, sha256="0"))

    assert fetched.is_media_kept
    assert "secret" not in fetched.model_dump_json()


def test_a_record_survives_its_way_through_json() -> None:
    job, token = running()
    ended = job.measured(token, seconds=30.0, codec="mp3").succeeded(token, OUTCOME)

    assert Job.model_validate_json(ended.model_dump_json(exclude_defaults=True)) == ended


def died(job: Job, *, is_alone: bool, code: SetbackCode = SetbackCode.CRASHED) -> Job:
    return job.claimed(new_lease("w", is_alone=is_alone)).set_back(code)


def test_what_died_beside_others_is_suspected_and_pays_nothing() -> None:
    job = died(a_job(), is_alone=False)

    assert (job.status, job.attempt, job.must_be_alone) == (JobStatus.QUEUED, 0, True)
    assert [each.code for each in job.setbacks] == [SetbackCode.CRASHED]


def test_what_died_alone_three_times_is_given_up_with_the_last_reason() -> None:
    job = a_job()
    for _ in range(3):
        job = died(job, is_alone=True)

    assert job.failure is not None
    assert job.failure.code == "attempts_exhausted"
    assert "death of its worker" in job.failure.message


@pytest.mark.parametrize(
    ("code", "name"),
    [(SetbackCode.STALLED, "stalled"), (SetbackCode.OUT_OF_MEMORY, "out_of_memory")],
)
def test_what_stalls_or_has_no_memory_twice_fails_for_that(code: SetbackCode, name: str) -> None:
    once = died(a_job(), is_alone=True, code=code)
    other = died(once, is_alone=True)
    twice = died(other, is_alone=True, code=code)

    assert once.status is JobStatus.QUEUED
    assert twice.failure is not None
    assert twice.failure.code == name


def test_a_retry_forgets_setbacks_and_suspicions() -> None:
    job = died(a_job(), is_alone=False, code=SetbackCode.OUT_OF_MEMORY)

    again = job.canceled().retried()

    assert (again.setbacks, again.must_be_alone, again.batch_share) == ((), False, 1.0)
