"""The simulated fleet does real jobs, and what it counts is there."""

from collections.abc import Iterator

import pytest

from benchmarks.fleet_cell import look_at
from benchmarks.fleet_service import BACKLOG, NEWCOMER, Service
from benchmarks.fleet_submitting import EMPTY, FULL, WAYS, submit_in_turns

QUEUED = 20


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service("test", job_seconds=0.2) as found:
        yield found


def test_submissions_leave_nothing_behind(service: Service) -> None:
    service.fill(QUEUED)

    seconds = submit_in_turns(service, service, runs=1)

    assert {way.name: {EMPTY: 1, FULL: 1} for way in WAYS} == {
        way: {depth: len(each) for depth, each in found.items()} for way, found in seconds.items()
    }
    assert service.depth() == QUEUED
    assert service.redis.llen("normal") <= 2  # of the backlog's owner


def test_a_fleet_does_jobs_while_its_queue_stays_as_deep(service: Service) -> None:
    cell = look_at(service, gpus=2, queued=QUEUED, warm_up_seconds=2.0, window_seconds=6.0)

    listed = service.call(BACKLOG, "GET", "/v1/jobs", params={"status": "succeeded"}).json()
    assert listed["data"], "jobs ran to their end"
    assert 0 < cell.utilisation <= 1
    assert cell.wait_seconds, "a newcomer's job began"
    assert {"valkey", "launcher", "housekeeper", "api"} <= cell.processor_seconds.keys()
    assert cell.redis_commands_per_job > 10
    assert cell.s3_requests["PutObject"] >= cell.jobs * 5
    assert not service.call(NEWCOMER, "GET", "/v1/jobs", params={"status": "queued"}).json()["data"]
    assert cell.jobs > QUEUED / 2  # or the queue would be as deep without new ones
    # What began while the fleet was being stopped was not made up for, and some was handed back.
    assert QUEUED / 2 <= service.depth() <= QUEUED + 2 * (2 + 1)
