"""Follow memory and cost from a minute to ten hours of sound.

Real recordings, repeated up to the length wished, go through the whole pipeline (decode, voice
activity, `tiny.en`, speakers) in a process that has its models loaded and has run one job before.
The ten hours are mostly silence between stretches of speech, so that they fit into an hour.
Memory is the resident set of the process and its decoder, above what it was before the job, looked
at twenty times a second; it includes the pages of the decoded waveform, which is a mapped file that
the system takes back when it needs room. `anonymous` leaves those out. What is held flat is
processor time, which a busy machine hardly changes.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.goals import Goal
from benchmarks.long_media_files import LongMedia, write
from benchmarks.own_process import OwnProcess
from benchmarks.processor_time import processor_seconds
from benchmarks.recordings import english
from jobs.options import TranscriptionOptions
from jobs.stages import Stage
from pipeline.pipeline import Pipeline
from pipeline.settings import PipelineSettings
from pipeline.unloading import give_back
from pipeline.waveform import SAMPLE_RATE

MINUTE, HOUR = 60.0, 3600.0
SPEECH = (MINUTE, 10 * MINUTE, HOUR, 2 * HOUR)
WITH_SILENCES = LongMedia(seconds=10 * HOUR, speech_seconds=0.5 * HOUR)
QUICK = (MINUTE, 5 * MINUTE)
MOST_GIB = 4.0
FLAT = 1.25  # the cost of an hour of speech in the longest recording, by that of ten minutes
_LOOK_SECONDS = 0.05
_OPTIONS = TranscriptionOptions(model="tiny.en", language="en", diarize=True)
_GIB = 1024**3


class Measured:
    """A pipeline whose memory and time are looked at, stage by stage."""

    def __init__(self, settings: PipelineSettings, warm_up: Path) -> None:
        self._pipeline = Pipeline(settings)
        self._pipeline.warm_up()
        self._pipeline.run(warm_up, _OPTIONS)

    def run(self, media: Path) -> dict[str, Any]:
        """Return seconds and peaks in bytes, of all and by stage."""
        give_back()
        look = _Look()
        worked, began = processor_seconds(os.getpid()), time.perf_counter()
        with look:
            transcript = self._pipeline.run(media, _OPTIONS, look.note)
        return {
            "seconds": time.perf_counter() - began,
            "processor_seconds": processor_seconds(os.getpid()) - worked,
            "words": len(transcript.text.split()),
            "speakers": len(transcript.speakers),
            "warnings": [warning.code for warning in transcript.warnings],
            "longest_unheard_seconds": look.longest_unheard_seconds,
            "before_bytes": look.before[0],
            "stages": look.stages,
        }


class _Look:
    """A thread that watches the memory of this process and of its children."""

    def __init__(self) -> None:
        self.before = _held_bytes()
        self.stages: dict[str, dict[str, float]] = {}
        self.longest_unheard_seconds = 0.0
        self._stage: str = Stage.DECODE
        self._heard_at = time.perf_counter()
        self._fraction = -1.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def note(self, stage: Stage, fraction: float) -> None:
        """Hear of progress; what is said again is no progress."""
        now = time.perf_counter()
        if (stage, fraction) != (self._stage, self._fraction):
            unheard = now - self._heard_at
            self.longest_unheard_seconds = max(self.longest_unheard_seconds, unheard)
            self._heard_at = now
        self._stage, self._fraction = stage, fraction

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        last = time.perf_counter()
        while not self._over.wait(_LOOK_SECONDS):
            now = time.perf_counter()
            row = self.stages.setdefault(
                str(self._stage), {"seconds": 0.0, "peak_bytes": 0, "anonymous_bytes": 0}
            )
            row["seconds"] += now - last
            last = now
            held = _held_bytes()
            row["peak_bytes"] = max(row["peak_bytes"], held[0] - self.before[0])
            row["anonymous_bytes"] = max(row["anonymous_bytes"], held[1] - self.before[1])


def _held_bytes() -> tuple[int, int]:
    """Return what this process and its children hold: all, and what is no file's."""
    children = [
        pid for file in Path("/proc/self/task").glob("*/children") for pid in _read(file).split()
    ]
    rows = [_read(Path(f"/proc/{pid}/status")) for pid in ("self", *children)]
    return _sum(rows, "VmRSS:"), _sum(rows, "RssAnon:")


def _read(file: Path) -> str:
    with suppress(OSError):  # it has just ended
        return file.read_text()
    return ""


def _sum(statuses: Sequence[str], name: str) -> int:
    lines = (line for status in statuses for line in status.splitlines())
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def measure(*, quick: bool = False) -> dict[str, Any]:
    """Return what each recording took."""
    speech = QUICK if quick else SPEECH
    long = [LongMedia(seconds=seconds, speech_seconds=seconds) for seconds in speech]
    return measure_these(long if quick else [*long, WITH_SILENCES])


def measure_these(asked: Sequence[LongMedia]) -> dict[str, Any]:
    """Return what each of these took, in their order."""
    from faster_whisper.audio import decode_audio

    recordings = english()
    spoken = [decode_audio(str(each.media), sampling_rate=SAMPLE_RATE) for each in recordings]
    settings = PipelineSettings(device="cpu", preload_model="tiny.en", max_audio_seconds=11 * HOUR)
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="whisperline-long-media-") as folder,
        OwnProcess(partial(Measured, settings, recordings[0].media)) as process,
    ):
        for media in asked:
            path = Path(folder) / "long.flac"
            write(media, spoken, path)
            row = {
                "title": media.title,
                "media_seconds": media.seconds,
                "speech_seconds": media.speech_seconds,
                **process.call(Measured.run, path),
            }
            sys.stderr.write(f"{row}\n")
            rows.append(row)
    return {"recordings": [each.name for each in recordings], "runs": rows}


def table(measured: Mapping[str, Any]) -> str:
    """Return the runs and their stages as Markdown tables."""
    lines = [
        "| media | s | s for an hour of it | processor s for an hour of speech | peak, MiB "
        "| anonymous, MiB | longest without progress, s | speakers |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(run) for run in measured["runs"]]
    names = list(dict.fromkeys(name for run in measured["runs"] for name in run["stages"]))
    lines += ["", "Each stage: s, peak in MiB:", "", f"| media | {' | '.join(names)} |"]
    lines.append("|---" * (len(names) + 1) + "|")
    for run in measured["runs"]:
        cells = [_cell(run["stages"].get(name)) for name in names]
        lines.append(f"| {run['title']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def goals(measured: Mapping[str, Any]) -> list[Goal]:
    """Return how much memory there may be, and how flat the cost should be."""
    runs = measured["runs"]
    speech = [run for run in runs if run["media_seconds"] == run["speech_seconds"]]
    beside = next((run for run in speech if run["media_seconds"] >= 10 * MINUTE), speech[0])
    peak = max(_peak(run, "peak_bytes") for run in runs)
    return [
        Goal(
            what="memory above the models, in the worst recording",
            value=peak / _GIB,
            goal=MOST_GIB,
            unit="GiB",
            sense="<=",
        ),
        Goal(
            what=f"processor time of an hour: {speech[-1]['title']}, beside {beside['title']}",
            value=_per_hour(speech[-1]) / _per_hour(beside),
            goal=FLAT,
            unit="x",
            sense="<=",
        ),
    ]


def _line(run: Mapping[str, Any]) -> str:
    cells = (
        run["title"],
        f"{run['seconds']:.0f}",
        f"{run['seconds'] / run['media_seconds'] * HOUR:.0f}",
        f"{_per_hour(run):.0f}",
        f"{_peak(run, 'peak_bytes') / 2**20:.0f}",
        f"{_peak(run, 'anonymous_bytes') / 2**20:.0f}",
        f"{run['longest_unheard_seconds']:.1f}",
        str(run["speakers"]),
    )
    return f"| {' | '.join(cells)} |"


def _per_hour(run: Mapping[str, Any]) -> float:
    return float(run["processor_seconds"] / run["speech_seconds"] * HOUR)


def _peak(run: Mapping[str, Any], kind: str) -> float:
    return max(float(stage[kind]) for stage in run["stages"].values())


def _cell(stage: Mapping[str, float] | None) -> str:
    return "" if stage is None else f"{stage['seconds']:.0f}, {stage['peak_bytes'] / 2**20:.0f}"
