"""Draw what was measured."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import backlog, fleet_plot, short_clips, stages
from benchmarks.hypothesis import OURS, WHISPERX

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Bars = Mapping[str, Sequence[Sequence[float]]]  # by contender: of each group, every run's value

_DPI = 150
_INCHES = (8.0, 4.5)
_COLOURS = ("#9aa5b1", "#1f6feb")  # the other, ours; told apart in grey too


def draw(measured: Mapping[str, Mapping[str, Any]], into: Path) -> list[Path]:
    """Write a PNG for each benchmark that has one; return their paths.

    Bars are medians; the lines on them reach from the fastest run to the slowest.
    """
    drawn = []
    for name, plot in _PLOTS.items():
        if name in measured:
            drawn.append(into / f"{name}.png")
            plot(measured[name], drawn[-1])
    return drawn


def _stages(measured: Mapping[str, Any], path: Path) -> None:
    seconds = measured["seconds"]
    bars = {name: [seconds[name][part] for part in stages.PARTS] for name in seconds}
    _write(path, stages.PARTS, bars, "seconds", f"Stages on {measured['media']}")


def _whole(measured: Mapping[str, Any], path: Path) -> None:
    lengths, seconds = measured["media_seconds"], measured["seconds"]
    bars = {
        contender: [
            [each / length for each in seconds[contender][name]] for name, length in lengths.items()
        ]
        for contender in (WHISPERX, OURS)
    }
    title = "Text, word times and speakers"
    _write(path, list(lengths), bars, "seconds for one of sound", title)


def _backlog(measured: Mapping[str, Any], path: Path) -> None:
    at_once = measured["at_once"]
    bars = {
        name: [found["seconds"][name] for found in at_once.values()]
        for name in (backlog.PIPELINE, backlog.SERVICE)
    }
    groups = [f"{number} at once" for number in at_once]
    _write(path, groups, bars, "seconds", f"A backlog of {len(measured['media'])} files")


def _short_clips(measured: Mapping[str, Any], path: Path) -> None:
    seconds = measured["seconds"]
    bars = {name: [seconds[name]] for name in (short_clips.ALONE, short_clips.TOGETHER)}
    _write(path, [f"{measured['clips']} clips"], bars, "seconds", "Short clips over HTTP")


_PLOTS: Mapping[str, Callable[[Mapping[str, Any], Path], None]] = {
    "stages": _stages,
    "whole": _whole,
    "backlog": _backlog,
    "short_clips": _short_clips,
    "fleet": fleet_plot.draw,
}


def _write(path: Path, groups: Sequence[str], bars: Bars, unit: str, title: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _bars(axes, groups, bars)
    axes.set_ylabel(unit)
    axes.set_title(title)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def _bars(axes: "Axes", groups: Sequence[str], bars: Bars) -> None:
    width = 0.8 / len(bars)
    for number, (name, values) in enumerate(bars.items()):
        medians = [statistics.median(each) for each in values]
        below = [median - min(each) for median, each in zip(medians, values, strict=True)]
        above = [max(each) - median for median, each in zip(medians, values, strict=True)]
        places = [group + (number - (len(bars) - 1) / 2) * width for group in range(len(groups))]
        drawn = axes.bar(
            places,
            medians,
            width,
            yerr=(below, above),
            label=name,
            color=_COLOURS[number % len(_COLOURS)],
            capsize=3,
        )
        axes.bar_label(drawn, fmt="%.2f", padding=2, fontsize=8)
    axes.set_xticks(range(len(groups)), groups, fontsize=8)
