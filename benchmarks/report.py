"""Write down what was measured, where and with what."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.goals import Goal
from benchmarks.goals import table as goals_table
from benchmarks.part import Part
from deploy.local.stack import ROOT

_LIBRARIES = ("whisperx", "faster-whisper", "ctranslate2", "pyannote-audio", "torch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one benchmark found."""

    part: Part
    measured: Mapping[str, Any]
    took_seconds: float

    @property
    def goals(self) -> list[Goal]:
        """Return what was to be reached."""
        return self.part.goals(self.measured)


def setting(command: str) -> dict[str, Any]:
    """Return what a number means nothing without."""
    return {
        "command": command,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def commit() -> str:
    """Return which code this is."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    return done.stdout.strip() or "unknown"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def markdown(where: Mapping[str, Any], findings: Sequence[Finding]) -> str:
    """Return the whole report."""
    libraries = ", ".join(f"{name} {number}" for name, number in where["libraries"].items())
    blocks = [
        f"`{where['command']}` at {where['commit']}, {where['at']}; medians; {where['cores']} "
        f"cores of {where['processor']} ({where['machine']}), load {where['load']} at the start; "
        f"Python {where['python']}, {libraries}."
    ]
    goals = [goal for finding in findings for goal in finding.goals]
    if goals:
        blocks += ["## Goals", goals_table(goals)]
    for finding in findings:
        blocks += [section(finding)]
    return "\n\n".join(blocks) + "\n"


def section(finding: Finding) -> str:
    """Return one benchmark's part of the report."""
    blocks = [f"## {finding.part.title}", finding.part.table(finding.measured)]
    if finding.part.about:
        blocks.insert(1, finding.part.about)
    return "\n\n".join(blocks)


def as_json(where: Mapping[str, Any], findings: Sequence[Finding]) -> str:
    """Return every single measurement."""
    whole = {
        "setting": where,
        "goals": [goal.as_json() for finding in findings for goal in finding.goals],
        "took_seconds": {f.part.name: round(f.took_seconds, 1) for f in findings},
        "measured": {finding.part.name: finding.measured for finding in findings},
    }
    return json.dumps(whole, indent=2, ensure_ascii=False)
