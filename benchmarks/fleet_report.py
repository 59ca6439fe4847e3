"""Write what was measured of a fleet as Markdown tables, and hold it against the goals."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.fleet_submitting import EMPTY, FULL, percentiles, ratios
from benchmarks.goals import Goal

Measured = Mapping[str, Any]  # as `benchmarks.fleet.measure` returns it

UTILISATION = 95.0  # percent, of the largest fleet
SUBMITTING = 1.2  # times as long beside the deep queue
COST = 1.1  # times as much for each job beside the deep queue: not more, and some noise
COSTS = {
    "processor seconds": "processor_seconds_per_job",
    "Redis commands": "redis_commands_per_job",
    "S3 requests": "s3_requests_per_job",
}


def table(measured: Measured) -> str:
    """Return all tables."""
    return "\n\n".join(
        (_about(measured), _cells(measured), _programs(measured), _submissions(measured))
    )


def goals(measured: Measured) -> list[Goal]:
    """Return what a fleet is to reach."""
    largest = _largest(measured)
    found = [
        Goal(
            what=f"busy pipelines, {largest[0]['gpus']} simulated GPUs, worst queue",
            value=100 * min(cell["utilisation"] for cell in largest),
            goal=UTILISATION,
            unit="%",
        )
    ]
    for way, seconds in measured["submit_seconds"].items():
        for name, ratio in zip(("p50", "p95"), ratios(seconds), strict=True):
            what = f"{way}, {name}, {measured['deep']} queued : none"
            found.append(Goal(what=what, value=ratio, goal=SUBMITTING, unit="x", sense="<="))
    shallow, deep = largest[0], largest[-1]
    for name, key in COSTS.items():
        what = f"{name} for each job, {deep['queued']} : {shallow['queued']} queued"
        value = deep[key] / shallow[key]
        found.append(Goal(what=what, value=value, goal=COST, unit="x", sense="<="))
    return found


def _largest(measured: Measured) -> list[Mapping[str, Any]]:
    """Return the cells of the largest fleet, by depth of the queue."""
    most = max(cell["gpus"] for cell in measured["cells"])
    found = [cell for cell in measured["cells"] if cell["gpus"] == most]
    return sorted(found, key=lambda cell: int(cell["queued"]))


def _about(measured: Measured) -> str:
    batches = measured["batch_seconds"]
    loads = [cell["load"] for cell in measured["cells"]]
    return (
        f"{measured['deep']} jobs were taken in by `POST /v1/batches` in {sum(batches):.0f} s "
        f"(the first batch {batches[0]:.1f} s, the last {batches[-1]:.1f} s) and hold "
        f"{measured['redis_bytes_per_job']:.0f} bytes of Redis each. A job takes "
        f"{measured['job_seconds']:g} s on a GPU, half of it more or less; for each that begins, "
        f"one is sent. Load of the machine: {min(loads):.1f} to {max(loads):.1f}."
    )


def _cells(measured: Measured) -> str:
    lines = [
        "| GPUs (processes x slots) | queued | jobs | busy | newcomer waits, p50 / most, s "
        "| processor s a job | Redis commands a job | S3 requests a job |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for cell in sorted(measured["cells"], key=lambda cell: (cell["gpus"], cell["queued"])):
        slots = cell["gpus"] // cell["processes"]
        lines.append(
            f"| {cell['gpus']} ({cell['processes']} x {slots}) | {cell['queued']} | {cell['jobs']} "
            f"| {100 * cell['utilisation']:.1f} % | {_waits(cell['wait_seconds'])} "
            f"| {cell['processor_seconds_per_job']:.3f} | {cell['redis_commands_per_job']:.0f} "
            f"| {cell['s3_requests_per_job']:.1f} |"
        )
    return "\n".join(lines)


def _waits(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.2f} / {max(seconds):.2f}" if seconds else "longer"


def _programs(measured: Measured) -> str:
    """Return whose processor time it is; the launcher's is the workers' too."""
    largest = _largest(measured)
    names = sorted({name for cell in largest for name in cell["processor_seconds"]})
    lines = [
        f"| processor ms a job, {largest[0]['gpus']} GPUs | {' | '.join(names)} |",
        "|---" * (len(names) + 1) + "|",
    ]
    for cell in largest:
        each = (1000 * cell["processor_seconds"].get(name, 0.0) / cell["jobs"] for name in names)
        cost = " | ".join(f"{milliseconds:.0f}" for milliseconds in each)
        lines.append(f"| {cell['queued']} queued | {cost} |")
    return "\n".join(lines)


def _submissions(measured: Measured) -> str:
    lines = [
        f"| submission | queue empty, p50 / p95, ms | {measured['deep']} queued, p50 / p95, ms "
        "| ratio, p50 / p95 |",
        "|---|---|---|---|",
    ]
    for way, seconds in measured["submit_seconds"].items():
        empty, full, ratio = (
            percentiles(seconds[EMPTY]),
            percentiles(seconds[FULL]),
            ratios(seconds),
        )
        lines.append(
            f"| {way} | {empty[0]:.1f} / {empty[1]:.1f} | {full[0]:.1f} / {full[1]:.1f} "
            f"| {ratio[0]:.2f} / {ratio[1]:.2f} |"
        )
    return "\n".join(lines)
