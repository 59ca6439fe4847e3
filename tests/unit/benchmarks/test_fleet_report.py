from typing import Any

import pytest

from benchmarks.fleet_cell import Cell
from benchmarks.fleet_costs import Meters, used
from benchmarks.fleet_report import goals, table
from benchmarks.fleet_submitting import EMPTY, FULL, percentiles


def cell(queued: int, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "gpus": 64,
        "processes": 8,
        "queued": queued,
        "window_seconds": 30.0,
        "load": 2.0,
        "jobs": 200,
        "utilisation": 0.97,
        "wait_seconds": [0.5, 1.0],
        "submit_seconds": [0.02],
        "processor_seconds": {"valkey": 2.0, "launcher": 6.0, "housekeeper": 2.0, "api": 30.0},
        "redis_commands": {"get": 20_000},
        "s3_requests": {"PutObject": 1_200},
    }
    return Cell(**(found | changes)).as_json()


def measured(*cells: dict[str, Any], full: float = 0.020) -> dict[str, Any]:
    return {
        "job_seconds": 10.0,
        "deep": 100_000,
        "batch_seconds": [4.0, 4.0],
        "redis_bytes_per_job": 1100.0,
        "submit_seconds": {"POST by somebody else": {EMPTY: [0.020] * 20, FULL: [full] * 20}},
        "cells": list(cells),
    }


def test_a_jobs_cost_is_that_of_redis_the_workers_and_the_housekeeper() -> None:
    found = cell(10)

    assert found["processor_seconds_per_job"] == pytest.approx(0.05)
    assert found["redis_commands_per_job"] == 100
    assert found["s3_requests_per_job"] == 6


def test_a_fleet_that_is_busy_and_costs_the_same_beside_any_queue_reaches_its_goals() -> None:
    assert all(goal.is_reached for goal in goals(measured(cell(10), cell(100_000))))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"utilisation": 0.94}, "busy"),
        ({"processor_seconds": {"valkey": 12.0}}, "processor"),
        ({"redis_commands": {"get": 23_000}}, "Redis"),
        ({"s3_requests": {"PutObject": 1_400}}, "S3"),
    ],
)
def test_what_a_deep_queue_spoils_is_a_goal_missed(changes: dict[str, Any], what: str) -> None:
    found = goals(measured(cell(100_000, **changes), cell(10)))

    assert [goal.what.partition(" ")[0] for goal in found if not goal.is_reached] == [what]


def test_submissions_that_take_longer_beside_a_deep_queue_are_goals_missed() -> None:
    found = goals(measured(cell(10), cell(100_000), full=0.025))

    missed = [goal for goal in found if not goal.is_reached]
    assert [goal.value for goal in missed] == pytest.approx([1.25, 1.25])


def test_the_table_says_on_how_many_processes_the_gpus_are_simulated() -> None:
    lines = table(measured(cell(100_000), cell(10, wait_seconds=[]))).splitlines()

    assert any(line.startswith("| 64 (8 x 8) | 10 | 200 | 97.0 % | longer |") for line in lines)
    assert any(line.startswith("| 64 (8 x 8) | 100000 | 200 | 97.0 % | 0.75") for line in lines)


def test_percentiles_are_in_milliseconds() -> None:
    assert percentiles([n / 1000 for n in range(101)]) == pytest.approx((50.0, 95.0))


def test_what_was_used_before_is_not_counted_and_the_largest_comes_first() -> None:
    before = Meters(processor_seconds={"api": 5.0}, redis_commands={"get": 7}, s3_requests={})
    after = Meters(
        processor_seconds={"api": 5.5, "launcher": 2.0},
        redis_commands={"get": 7, "set": 3},
        s3_requests={"PutObject": 4},
    )

    found = used(before, after)

    assert list(found.processor_seconds.items()) == [("launcher", 2.0), ("api", 0.5)]
    assert found.redis_commands == {"set": 3}
    assert found.s3_requests == {"PutObject": 4}
