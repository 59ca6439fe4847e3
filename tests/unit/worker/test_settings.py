"""How many jobs a process takes at once."""

import pytest

from worker.settings import WorkerSettings


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> WorkerSettings:
    monkeypatch.setenv("JOBS_PER_WORKER", "3")
    return WorkerSettings()


def test_on_a_gpu_the_next_job_is_fetched_and_decoded_beside_the_one_that_computes() -> None:
    assert WorkerSettings().jobs_at_once("cuda") == 2


def test_on_the_cpu_jobs_do_not_take_turns_on_the_same_cores() -> None:
    assert WorkerSettings().jobs_at_once("cpu") == 1


def test_the_operator_decides(told: WorkerSettings) -> None:
    assert told.jobs_at_once("cuda") == told.jobs_at_once("cpu") == 3
