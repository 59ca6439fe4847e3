"""Draw what was measured of a fleet."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.fleet_submitting import EMPTY, FULL, percentiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI = 110
_INCHES = (13.0, 4.2)
_FEW = 10  # jobs: among fewer, what passes in a window whatever is done counts for too much
_COLOURS = ("#9aa5b1", "#1f6feb")


def draw(measured: Mapping[str, Any], path: Path) -> None:
    """Write a PNG: busy pipelines and cost by queue and fleet, and how long submissions take."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    busy, cost, submitting = figure.subplots(1, 3)
    _by_depth(busy, measured, "utilisation", scale=100)
    busy.set_title("Busy pipelines, %")
    busy.set_ylim(0, 105)
    busy.axhline(95, color=_COLOURS[0], linestyle=":")
    _by_depth(cost, measured, "processor_seconds_per_job", scale=1, least_jobs=_FEW)
    cost.set_title("Processor seconds for each job")
    cost.set_ylim(bottom=0)
    _submissions(submitting, measured)
    for axes in (busy, cost, submitting):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def _by_depth(
    axes: "Axes", measured: Mapping[str, Any], key: str, *, scale: float, least_jobs: int = 0
) -> None:
    cells_of: dict[int, list[Mapping[str, Any]]] = {}
    for cell in sorted(measured["cells"], key=lambda cell: (cell["gpus"], cell["queued"])):
        cells_of.setdefault(cell["gpus"], []).append(cell)
    for number, (gpus, all_cells) in enumerate(cells_of.items()):
        cells = [cell for cell in all_cells if cell["jobs"] >= least_jobs]
        if not cells:
            continue
        axes.plot(
            [cell["queued"] for cell in cells],
            [scale * cell[key] for cell in cells],
            marker="o",
            color=f"C{number}",  # the same in each panel
            label=f"{gpus} GPU{'s' * (gpus > 1)}",
        )
    axes.set_xscale("log")
    axes.set_xlabel("jobs queued")
    axes.legend(frameon=False)


def _submissions(axes: "Axes", measured: Mapping[str, Any]) -> None:
    ways = measured["submit_seconds"]
    for number, depth in enumerate((EMPTY, FULL)):
        found = [percentiles(seconds[depth]) for seconds in ways.values()]
        places = [group + (number - 0.5) * 0.4 for group in range(len(ways))]
        name = f"{measured['deep']} queued" if depth == FULL else "none queued"
        p50, p95 = zip(*found, strict=True)
        axes.bar(places, p50, 0.4, label=f"{name}: p50", color=_COLOURS[number])
        axes.scatter(places, p95, marker="_", color="black", label="p95" if number else None)
    axes.set_xticks(
        range(len(ways)),
        [way.replace(" by ", "\nby ").replace(" has the", "\nhas the") for way in ways],
        fontsize=8,
    )
    axes.set_title("Submission, ms")
    axes.set_ylim(top=1.35 * max(max(percentiles(seconds[FULL])) for seconds in ways.values()))
    axes.legend(frameon=False, fontsize=8)
