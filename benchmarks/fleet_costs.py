"""Count what jobs cost: processor time of each program, Redis commands, requests to S3."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import redis

from benchmarks.processor_time import processor_seconds
from deploy.local.processes import Process

Amounts = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meters:
    """What was used up by a moment, by program, command and operation."""

    processor_seconds: Amounts
    redis_commands: Amounts
    s3_requests: Amounts


def read_meters(
    processes: Mapping[str, Process], client: "redis.Redis", s3_requests: Amounts
) -> Meters:
    """Return what the programs have used up by now."""
    return Meters(
        processor_seconds={name: processor_seconds(each.pid) for name, each in processes.items()},
        redis_commands={
            name.removeprefix("cmdstat_"): stats["calls"]
            for name, stats in client.info("commandstats").items()
            if name != "cmdstat_info"  # our own
        },
        s3_requests=dict(s3_requests),
    )


def used(before: Meters, after: Meters) -> Meters:
    """Return what was used up in between."""
    return Meters(
        # Every program, also one that took less than the clock can tell.
        processor_seconds=_between(before.processor_seconds, after.processor_seconds),
        redis_commands=_some(_between(before.redis_commands, after.redis_commands)),
        s3_requests=_some(_between(before.s3_requests, after.s3_requests)),
    )


def _between(before: Amounts, after: Amounts) -> dict[str, float]:
    found = {name: amount - before.get(name, 0) for name, amount in after.items()}
    return {name: round(amount, 3) for name, amount in Counter(found).most_common()}


def _some(amounts: Amounts) -> dict[str, float]:
    return {name: amount for name, amount in amounts.items() if amount}
