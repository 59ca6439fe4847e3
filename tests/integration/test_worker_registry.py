"""Who is alive is known at once, whatever else Redis holds."""

from datetime import UTC, datetime

import redis

from jobs.workers import ALIVE_SECONDS, WorkerRegistry, WorkerStatus

OTHER_KEYS = 5_000


def status(name: str) -> WorkerStatus:
    return WorkerStatus(
        name=name, device="cpu", compute_type="int8", started_at=datetime(2026, 1, 1, tzinfo=UTC)
    )


def commands_of_a_look(valkey: "redis.Redis", registry: WorkerRegistry) -> int:
    before = valkey.info("stats")["total_commands_processed"]
    registry.alive()
    return int(valkey.info("stats")["total_commands_processed"] - before)


def test_the_living_are_listed_by_name_and_who_left_is_not(valkey: "redis.Redis") -> None:
    registry = WorkerRegistry(valkey)
    for name in ("b@host", "a@host", "c@host"):
        registry.report(status(name))
    registry.leave("c@host")

    assert [worker.name for worker in registry.alive()] == ["a@host", "b@host"]


def test_who_is_silent_is_forgotten_by_the_next_that_reports(valkey: "redis.Redis") -> None:
    registry = WorkerRegistry(valkey)
    registry.report(status("silent@host"))
    valkey.delete("whisperline:worker:silent@host")  # as it expires
    valkey.zadd("whisperline:workers", {"silent@host": 1.0})  # long ago
    assert registry.alive() == []

    registry.report(status("a@host"))

    assert valkey.zrange("whisperline:workers", 0, -1) == ["a@host"]


def test_nothing_is_left_of_workers_that_are_all_silent(valkey: "redis.Redis") -> None:
    WorkerRegistry(valkey).report(status("a@host"))

    assert all(0 < valkey.ttl(key) <= ALIVE_SECONDS for key in valkey.keys("whisperline:worker*"))
    assert len(valkey.keys("whisperline:worker*")) == 2


def test_to_list_workers_costs_the_same_beside_any_number_of_jobs(valkey: "redis.Redis") -> None:
    registry = WorkerRegistry(valkey)
    registry.report(status("a@host"))
    alone = commands_of_a_look(valkey, registry)
    valkey.mset({f"whisperline:job:{n}": "{}" for n in range(OTHER_KEYS)})

    assert commands_of_a_look(valkey, registry) == alone
