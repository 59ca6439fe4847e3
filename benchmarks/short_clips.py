"""Hold many short clips, 4 at once, against the same clips one at a time, both over HTTP.

Two services of their own, one of which takes a job at a time and one of which takes four; both are
there all the time, and the one that has no work waits.
"""

import statistics
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import clips
from benchmarks.goals import Goal
from benchmarks.recordings import english
from benchmarks.served import Service
from benchmarks.turns import in_turns, median_ratio

COUNT = 60
AT_ONCE = 4
TIMES_AS_FAST = 1.3
# Of one language and without speakers, as voice messages are: what is left is recognition.
OPTIONS = {"language": "en", "diarize": "false"}
ALONE, TOGETHER = "one at a time", f"{AT_ONCE} at once"


def measure(*, runs: int = 5, quick: bool = False) -> dict[str, Any]:
    """Return each run's seconds, and how many clips have another text than one at a time."""
    seconds: dict[str, list[float]] = {ALONE: [], TOGETHER: []}
    texts: dict[str, list[list[str]]] = {ALONE: [], TOGETHER: []}
    with (
        tempfile.TemporaryDirectory(prefix="whisperline-benchmark-") as directory,
        Service(jobs_at_once=1) as alone,
        Service(jobs_at_once=AT_ONCE) as together,
    ):
        sources = [recording.media for recording in english()]
        sent = clips.cut(sources, Path(directory), count=8 if quick else COUNT)
        contenders = {
            ALONE: partial(alone.drain, sent, OPTIONS),
            TOGETHER: partial(together.drain, sent, OPTIONS),
        }
        for service in (alone, together):
            service.drain(sent[:AT_ONCE], OPTIONS)
        for name, served in in_turns(contenders, runs=1 if quick else runs, warm_up=False):
            seconds[name].append(served.seconds)
            texts[name].append(served.texts)
    expected = texts[ALONE][0]
    return {
        "clips": len(sent),
        "options": OPTIONS,
        "seconds": seconds,
        "different_texts": {
            name: sum(text != expected[n] for run in each for n, text in enumerate(run))
            for name, each in texts.items()
        },
    }


def table(measured: Mapping[str, Any]) -> str:
    """Return the medians as a Markdown table."""
    runs = len(measured["seconds"][ALONE])
    lines = [
        f"{measured['clips']} clips of 3 to 10 s, {measured['options']}",
        "",
        f"| over HTTP | s | clips a second | texts that differ, of {runs} runs |",
        "|---|---|---|---|",
    ]
    for name in (ALONE, TOGETHER):
        seconds = statistics.median(measured["seconds"][name])
        lines.append(
            f"| {name} | {seconds:.2f} | {measured['clips'] / seconds:.2f} "
            f"| {measured['different_texts'][name]} |"
        )
    return "\n".join(lines)


def goals(measured: Mapping[str, Any]) -> list[Goal]:
    """Return how much faster it should be, with which texts."""
    return [
        Goal(
            what=f"{measured['clips']} short clips, {TOGETHER} beside {ALONE}",
            value=median_ratio(measured["seconds"][ALONE], measured["seconds"][TOGETHER]),
            goal=TIMES_AS_FAST,
            unit="x",
        ),
        Goal(
            what="texts of short clips that differ from those of one at a time",
            value=float(measured["different_texts"][TOGETHER]),
            goal=0,
            unit="texts",
            sense="<=",
        ),
    ]
