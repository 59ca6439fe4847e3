"""What clients of the drop-in routes hear of a job without a transcript."""

import pytest

from api.job_faults import PERMANENT_WORDS, fault_of
from jobs.attempt import Failure, new_lease
from jobs.job import Job
from tests.jobs_made import a_job


def a_failed_job(*, code: str, message: str = "so it is", retryable: bool = False) -> Job:
    return a_job().failed(Failure(code=code, message=message, retryable=retryable))


@pytest.mark.parametrize("code", ["unsupported_media", "corrupt_media", "no_audio_stream"])
def test_media_that_cannot_be_decoded_is_told_in_the_old_words(code: str) -> None:
    fault = fault_of(a_failed_job(code=code))

    assert fault is not None
    assert (fault.status, fault.detail) == (400, "failed to decode audio: so it is")


@pytest.mark.parametrize("code", ["too_long", "unsuitable_model", "attempts_exhausted"])
def test_what_will_never_succeed_is_not_to_be_sent_again(code: str) -> None:
    fault = fault_of(a_failed_job(code=code))

    assert fault is not None
    assert (fault.status, fault.detail) == (400, "so it is")


@pytest.mark.parametrize("code", ["internal", "model_unavailable", "out_of_memory", "stalled"])
def test_what_may_succeed_later_is_503(code: str) -> None:
    fault = fault_of(a_failed_job(code=code, retryable=True))

    assert fault is not None
    assert (fault.status, fault.detail) == (503, "so it is")


@pytest.mark.parametrize("words", PERMANENT_WORDS)
def test_what_may_succeed_later_never_sounds_permanent(words: str) -> None:
    message = f"Something {words.title()} happened"

    fault = fault_of(a_failed_job(code="model_unavailable", message=message, retryable=True))

    assert fault is not None
    assert not any(each in fault.detail.lower() for each in PERMANENT_WORDS)


def test_a_canceled_job_is_a_conflict() -> None:
    fault = fault_of(a_job().claimed(new_lease("w")).canceled())

    assert fault is not None
    assert fault.status == 409
