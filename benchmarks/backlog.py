"""Hold the service over HTTP against its own pipeline: a mixed backlog, 1, 2 and 4 jobs at once.

Same files, same order, as many jobs at once, all models loaded; in turns. The pipeline is called in
a process of its own, by as many threads; the service is the local stack, with a real worker.
"""

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import clips, served
from benchmarks.goals import Goal
from benchmarks.ours import Ours
from benchmarks.own_process import OwnProcess
from benchmarks.recordings import of_each_container
from benchmarks.served import Served, Service
from benchmarks.turns import in_turns, median_ratio
from deploy.local.sample import sample_call
from pipeline.settings import PipelineSettings

AT_ONCE = (1, 2, 4)
SHARE = 97.0  # percent of the pipeline's own throughput
PIPELINE, SERVICE = "pipeline", "service"
_CLIPS = 5  # of the sample call, where there are no other recordings


def measure(*, runs: int = 5, quick: bool = False) -> dict[str, Any]:
    """Return each run's seconds, by jobs at once and contender."""
    found: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory(prefix="whisperline-benchmark-") as directory,
        OwnProcess(partial(Ours, PipelineSettings(device="cpu"))) as ours,
    ):
        media = mixed(Path(directory))[: 3 if quick else None]
        for at_once in AT_ONCE[:1] if quick else AT_ONCE:
            with Service(jobs_at_once=at_once) as service:
                found[str(at_once)] = _compared(media, ours, service, at_once, 1 if quick else runs)
    return {"media": [path.name for path in media], "at_once": found}


def mixed(directory: Path) -> list[Path]:
    """Return a backlog such as people send: the sample call among short files of all kinds."""
    short = of_each_container() or clips.cut([sample_call()], directory, count=_CLIPS)
    middle = len(short) // 2
    return [*short[:middle], sample_call(), *short[middle:]]


def _compared(
    media: Sequence[Path], ours: OwnProcess[Ours], service: Service, at_once: int, runs: int
) -> dict[str, Any]:
    def by_pipeline() -> Served:
        drained = ours.call(Ours.drain, media, {}, at_once=at_once)
        processor = {PIPELINE: drained.processor_seconds}
        return Served(seconds=drained.seconds, texts=drained.texts, account={}, processor=processor)

    def by_service() -> Served:
        return service.drain(media, {})

    first = [media[0]] * at_once  # warms up
    ours.call(Ours.drain, first, {}, at_once=at_once)
    service.drain(first, {})
    runs_of: dict[str, list[Served]] = {PIPELINE: [], SERVICE: []}
    contenders = {PIPELINE: by_pipeline, SERVICE: by_service}
    for name, one in in_turns(contenders, runs=runs, warm_up=False):
        runs_of[name].append(one)
    texts = [one.texts for each in runs_of.values() for one in each]
    return {
        "seconds": {name: [each.seconds for each in runs_of[name]] for name in runs_of},
        "account": {
            entry: [each.account[entry] for each in runs_of[SERVICE]]
            for entry in runs_of[SERVICE][0].account
        },
        "processor": {
            program: [one.processor[program] for one in each]
            for each in runs_of.values()
            for program in each[0].processor
        },
        "different_texts": sum(text != texts[0][n] for run in texts for n, text in enumerate(run)),
    }


def table(measured: Mapping[str, Any]) -> str:
    """Return throughputs, and where the service's time goes, as Markdown tables."""
    lines = [
        f"{len(measured['media'])} files: {', '.join(measured['media'])}",
        "",
        "| jobs at once | pipeline, s | service over HTTP, s | of the pipeline's throughput |"
        " texts that differ |",
        "|---|---|---|---|---|",
    ]
    for at_once, found in measured["at_once"].items():
        pipeline, service = _median(found, PIPELINE), _median(found, SERVICE)
        lines.append(
            f"| {at_once} | {pipeline:.2f} | {service:.2f} | {_share(found):.1f} % "
            f"| {found['different_texts']} |"
        )
    lines += ["", "| one job at a time over HTTP: what the time goes into | s |", "|---|---|"]
    account = _medians(measured["at_once"]["1"]["account"])
    lines += [f"| {entry} | {seconds:.3f} |" for entry, seconds in account.items()]
    idle = sum(each for entry, each in account.items() if not entry.startswith(served.PIPELINE))
    lines.append(f"| **all in which the pipeline does nothing** | {idle:.3f} |")
    lines += ["", "| one job at a time: processor time of | s |", "|---|---|"]
    processor = _medians(measured["at_once"]["1"]["processor"])
    lines += [f"| {program} | {seconds:.2f} |" for program, seconds in processor.items()]
    return "\n".join(lines)


def goals(measured: Mapping[str, Any]) -> list[Goal]:
    """Return how much of the pipeline's throughput should come through HTTP."""
    return [
        Goal(
            what=f"the pipeline's throughput over HTTP, mixed backlog, {at_once} at once",
            value=_share(found),
            goal=SHARE,
            unit="%",
        )
        for at_once, found in measured["at_once"].items()
    ]


def _median(found: Mapping[str, Any], contender: str) -> float:
    return float(statistics.median(found["seconds"][contender]))


def _medians(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: statistics.median(each) for name, each in found.items()}


def _share(found: Mapping[str, Any]) -> float:
    return 100 * median_ratio(found["seconds"][PIPELINE], found["seconds"][SERVICE])
