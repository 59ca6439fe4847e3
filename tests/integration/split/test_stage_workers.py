"""The API tells workers that run jobs from those that do a stage of them."""

import httpx
import pytest
import redis

from jobs.stage_call import StageRole
from jobs.workers import WorkerRegistry
from tests.integration.test_operations import worker


@pytest.fixture
def report(valkey: "redis.Redis") -> WorkerRegistry:
    return WorkerRegistry(valkey)


def listed(
    registry: WorkerRegistry, stage: StageRole | None, *, jobs: tuple[str, ...] = ()
) -> None:
    registry.report(worker(str(stage), jobs=jobs).model_copy(update={"stage": stage}))


def test_workers_of_whole_jobs_leave_no_stage_unserved(
    api: httpx.Client, report: WorkerRegistry
) -> None:
    listed(report, None)

    answer = api.get("/v1/workers").json()

    assert [each["stage"] for each in answer["data"]] == [None]
    assert answer["unserved_stages"] == []
    assert api.get("/health").json()["status"] == "healthy"


def test_a_stage_that_nobody_does_is_named(api: httpx.Client, report: WorkerRegistry) -> None:
    listed(report, StageRole.WHISPER)
    listed(report, StageRole.ALIGN)

    health = api.get("/health").json()
    assert api.get("/v1/workers").json()["unserved_stages"] == ["diarize"]
    assert (health["status"], health["workers"]) == ("degraded", 1)
    assert "diarize" in health["detail"]


def test_what_only_does_a_stage_takes_no_jobs(api: httpx.Client, report: WorkerRegistry) -> None:
    listed(report, StageRole.DIARIZE, jobs=("job_1",))

    queue = api.get("/v1/queue").json()
    assert (queue["workers"], queue["slots"]) == (0, 0)
    assert "no worker is alive" in api.get("/health").json()["detail"]

    listed(report, StageRole.WHISPER, jobs=("job_1",))
    queue = api.get("/v1/queue").json()
    assert (queue["workers"], queue["slots"]) == (1, 1)
    assert api.get("/queue-metrics").json()["active"] == 1
