import logging

import pytest

from jobs.attempt import MAX_ATTEMPTS, SetbackCode, new_lease
from jobs.errors import CorruptMedia, HandedBack, ModelUnavailable, OutOfMemory
from jobs.job import Job
from jobs.stages import Stage
from jobs.status import JobStatus
from tests.jobs_made import a_job
from worker.ending import RETRY_SECONDS, ending_of


def running(attempt: int = 1) -> tuple[Job, str]:
    lease = new_lease("w")
    job = a_job().model_copy(update={"attempt": attempt - 1}).claimed(lease)
    return job, lease.token


def after(error: Exception, *, attempt: int = 1) -> Job:
    job, token = running(attempt)
    return ending_of(error, job, token, Stage.ALIGN)(job)


def test_media_that_cannot_be_processed_fails_the_job_for_good() -> None:
    job = after(CorruptMedia("cut off"))

    assert job.failure is not None
    assert (job.failure.code, job.failure.stage) == ("corrupt_media", Stage.ALIGN)
    assert not job.failure.retryable


def test_what_was_handed_back_costs_nothing() -> None:
    job = after(HandedBack("the worker ends"))

    assert (job.status, job.attempt, job.setbacks) == (JobStatus.QUEUED, 0, ())


def test_what_was_away_is_waited_for_until_the_last_attempt() -> None:
    waiting = after(ModelUnavailable("no hub"))
    failed = after(ModelUnavailable("no hub"), attempt=MAX_ATTEMPTS)

    assert (waiting.status, waiting.pause_seconds) == (JobStatus.QUEUED, RETRY_SECONDS)
    assert [each.code for each in waiting.setbacks] == [SetbackCode.UNAVAILABLE]
    assert not waiting.must_be_alone
    assert failed.failure is not None
    assert (failed.failure.code, failed.failure.retryable) == ("model_unavailable", True)


def test_without_memory_a_job_runs_once_more_alone_with_half_the_batch() -> None:
    job = after(OutOfMemory("no room"))

    assert (job.status, job.attempt) == (JobStatus.QUEUED, 1)
    assert (job.must_be_alone, job.batch_share) == (True, 0.5)
    again = new_lease("w")
    running_again = job.claimed(again)
    failed = ending_of(OutOfMemory("no room"), running_again, again.token, None)(running_again)
    assert failed.failure is not None
    assert failed.failure.code == "out_of_memory"


def test_a_bug_is_in_the_log_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        job = after(ZeroDivisionError("secret detail"))

    assert job.failure is not None
    assert job.failure.code == "internal"
    assert "secret" not in job.failure.message
    assert "secret detail" in caplog.text
