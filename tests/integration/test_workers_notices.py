"""What launchers and workers say of themselves in Redis, and of those who do not."""

import logging
import time
from datetime import UTC, datetime

import pytest
import redis

from jobs.workers import WorkerRegistry, WorkerStatus
from worker.child import NEVER, Child
from worker.gpus import Place
from worker.notices import Notices
from worker.presence import present
from worker.restarts import Restarts


def child(name: str, *, is_given_up: bool = False) -> Child:
    return Child(
        place=Place(name="gpu0"),
        name=name,
        restarts=Restarts(give_up_after=1, longest_pause_seconds=1),
        start_at=NEVER if is_given_up else 0.0,
    )


def status(process: str) -> WorkerStatus:
    return WorkerStatus(
        name="gpu0@here",
        device="cpu",
        compute_type="none",
        started_at=datetime.now(UTC),
        process=process,
    )


def test_a_launcher_that_comes_back_with_fewer_gpus_takes_back_what_it_said(
    valkey: "redis.Redis",
) -> None:
    registry = WorkerRegistry(valkey)
    elsewhere = [child("gpu0@there", is_given_up=True)]
    lost = [child("gpu0@here", is_given_up=True), child("gpu1@here", is_given_up=True)]
    Notices(registry).tell(elsewhere, is_last_word=True)
    Notices(registry).tell(lost, is_last_word=True)
    assert len(registry.not_running()) == 3

    Notices(registry).tell([child("gpu0@here")])

    said = [(one.name, one.state) for one in registry.not_running()]
    assert said == [("gpu0@here", "starting"), ("gpu0@there", "failed")]


def test_what_a_killed_worker_left_is_cleared_away_by_its_launcher(valkey: "redis.Redis") -> None:
    registry = WorkerRegistry(valkey)
    registry.report(status("killed"))

    Notices(registry).tell([child("gpu0@here", is_given_up=True)])

    assert registry.alive() == []


def test_two_workers_of_one_name_do_not_pass_unnoticed(
    valkey: "redis.Redis", monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("worker.presence.REPORT_SECONDS", 0.05)
    registry = WorkerRegistry(valkey)
    registry.report(status("killed long ago"))
    with caplog.at_level(logging.ERROR), present(registry, lambda: status("one")):
        deadline = time.monotonic() + 10
        while registry.alive()[0].process != "one":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert "two workers" not in caplog.text  # it was a remnant

        while "there are two workers gpu0@here" not in caplog.text:
            assert time.monotonic() < deadline
            registry.report(status("another"))
            time.sleep(0.01)
