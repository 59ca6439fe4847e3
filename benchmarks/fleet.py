"""Simulated GPUs on the real path: Valkey, SeaweedFS, API, launcher, Celery and housekeeper.

Only the pipeline is a stand-in: it waits as long as a GPU would take. As 64 processes do not fit
two cores, up to 8 processes run several simulated GPUs each, as threads (`JOBS_PER_WORKER`). Two
services are up at the same time, one with a short queue and one with a deep one, and compared in
turns. `python -m benchmarks.fleet` takes about seventeen minutes, `--quick` two.
"""

import argparse
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import goals as goals_of
from benchmarks import report
from benchmarks.fleet_cell import Cell, look_at
from benchmarks.fleet_report import goals, table
from benchmarks.fleet_service import Service
from benchmarks.fleet_submitting import submit_in_turns

__all__ = ("goals", "measure", "table")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be measured."""

    gpus: tuple[int, ...] = (1, 8, 64)
    queued: tuple[int, ...] = (10, 1_000)  # jobs, in the service with the short queue
    deep: int = 100_000  # jobs, in the other
    submissions: int = 200  # of each way, to each service
    job_seconds: float = 10.0
    warm_up_seconds: float = 15.0  # all begin at once; by then hardly two end at the same time
    window_seconds: float = 30.0


QUICK = Plan(
    gpus=(64,),
    queued=(10,),
    deep=5_000,
    submissions=40,
    warm_up_seconds=12.0,
    window_seconds=12.0,
)


def measure(*, quick: bool = False, plan: Plan | None = None) -> dict[str, Any]:
    """Return what was seen, as JSON can hold it.

    Args:
        quick: measure little.
        plan: what to measure, whatever `quick` says.
    """
    plan = plan or (QUICK if quick else Plan())
    with (
        Service("short", job_seconds=plan.job_seconds) as short,
        Service("deep", job_seconds=plan.job_seconds) as deep,
    ):
        empty_bytes = deep.redis_bytes()
        batch_seconds = deep.fill(plan.deep)
        _tell(f"{plan.deep} jobs queued in {sum(batch_seconds):.0f} s")
        found: dict[str, Any] = {
            "job_seconds": plan.job_seconds,
            "deep": plan.deep,
            "batch_seconds": batch_seconds,
            "redis_bytes_per_job": (deep.redis_bytes() - empty_bytes) / plan.deep,
            "submit_seconds": submit_in_turns(short, deep, runs=plan.submissions),
        }
        found["cells"] = [cell.as_json() for cell in _cells(plan, short, deep)]
    return found


def _cells(plan: Plan, short: Service, deep: Service) -> Iterator[Cell]:
    """Look at both services in turns, at the deep one once for each size of the fleet."""
    for depth in plan.queued:
        for gpus in plan.gpus:
            pairs = [(short, depth)]
            if depth == plan.queued[0]:
                pairs.append((deep, plan.deep))
            for service, queued in pairs:
                cell = look_at(
                    service,
                    gpus=gpus,
                    queued=queued,
                    warm_up_seconds=plan.warm_up_seconds,
                    window_seconds=plan.window_seconds,
                )
                _tell(
                    f"{gpus} GPUs, {queued} queued: {100 * cell.utilisation:.1f} % busy, "
                    f"{cell.processor_seconds_per_job:.3f} processor s a job, load {cell.load:.1f}"
                )
                yield cell


def _tell(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def main(arguments: list[str]) -> int:
    """Measure, print tables and goals; `--json` and `--plot` write files."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="little of everything, in two minutes")
    parser.add_argument("--json", type=Path, help="every single number")
    parser.add_argument("--plot", type=Path, help="a PNG")
    asked = parser.parse_args(arguments)
    setting = _setting(shlex.join(["python", "-m", "benchmarks.fleet", *arguments]))
    measured = measure(quick=asked.quick)
    reached = goals(measured)
    sys.stdout.write(f"{setting}\n\n{table(measured)}\n\n{goals_of.table(reached)}\n")
    if asked.json:
        whole = {"setting": setting, "goals": [each.as_json() for each in reached], **measured}
        asked.json.write_text(json.dumps(whole, indent=2))
    if asked.plot:
        from benchmarks.fleet_plot import draw

        draw(measured, asked.plot)
    return 0


def _setting(command: str) -> str:
    """Say what was measured where."""
    return (
        f"`{command}` at {report.commit()}, {platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, load {os.getloadavg()[0]:.1f} at the start"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
