import pytest

from jobs.errors import ModelUnavailable, OutOfMemory
from pipeline.awaiting import NobodyWaits
from pipeline.optional_stage import OptionalStage


def test_a_cancel_ends_the_run_and_is_no_failure_of_the_stage() -> None:
    with pytest.raises(NobodyWaits), OptionalStage():
        raise NobodyWaits


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        OutOfMemory("no memory left"),
    ],
)
def test_a_stage_that_runs_out_of_memory_gets_another_try(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, OptionalStage():
        raise error

    assert raised.value is error


def test_a_stage_that_fails_says_why_in_words_for_a_client() -> None:
    with OptionalStage() as stage:
        raise ModelUnavailable("pull it first")

    assert stage.reason == "pull it first"


def test_a_bug_in_a_stage_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    with OptionalStage() as stage:
        raise ZeroDivisionError("secret detail")

    assert "secret" not in stage.reason
    assert "secret detail" in caplog.text


def test_the_end_of_the_process_is_not_held_up() -> None:
    with pytest.raises(SystemExit), OptionalStage():
        raise SystemExit
