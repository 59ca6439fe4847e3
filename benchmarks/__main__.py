"""Measure accuracy and speed: python -m benchmarks [PART …] [--quick].

Runs every benchmark of `benchmarks/part.py` (`long_media`, two hours, only where it is named),
prints a report as Markdown with each goal and whether it was reached, and writes it beside every
single number and the plots. Nothing fails for being slow.
"""

import argparse
import shlex
import sys
import time
import warnings
from pathlib import Path

from benchmarks import goals, report
from benchmarks.part import BY_NAME_ONLY, parts
from benchmarks.report import Finding
from deploy.local.stack import ROOT

OUT = ROOT / ".run" / "bench"


def main(arguments: list[str]) -> int:
    """Run what is asked for."""
    here = parts()
    asked = _asked(arguments, list(here))
    asked.out.mkdir(parents=True, exist_ok=True)
    where = report.setting(shlex.join(["python", "-m", "benchmarks", *arguments]))
    findings = []
    for name in asked.parts or [each for each in here if each not in BY_NAME_ONLY]:
        sys.stderr.write(f"{name}: {here[name].title} …\n")
        began = time.monotonic()
        measured = here[name].measure(runs=asked.runs, quick=asked.quick)
        took = time.monotonic() - began
        findings.append(Finding(part=here[name], measured=measured, took_seconds=took))
        sys.stdout.write(f"{report.section(findings[-1])}\n\n({took:.0f} s)\n\n")
        sys.stdout.flush()
        _write(where, findings, asked.out)  # what came so far is not lost with what comes
    reached = goals.table([goal for finding in findings for goal in finding.goals])
    sys.stdout.write(f"## Goals\n\n{reached}\n\nReport, numbers and plots: {asked.out}\n")
    return 0


def _write(where: dict[str, object], findings: list[Finding], out: Path) -> None:
    from benchmarks.plots import draw

    (out / "report.md").write_text(report.markdown(where, findings), "utf-8")
    (out / "report.json").write_text(report.as_json(where, findings), "utf-8")
    draw({finding.part.name: finding.measured for finding in findings}, out)


def _offered(names: list[str]) -> str:
    """Say what there is, and what runs when nothing is named."""
    return f"of {', '.join(names)}; by default all but {', '.join(BY_NAME_ONLY)}"


def _asked(arguments: list[str], names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=_offered(names))
    parser.add_argument("--runs", type=int, default=5, help="of which the median counts")
    parser.add_argument("--quick", action="store_true", help="one run of a little of everything")
    parser.add_argument("--out", type=Path, default=OUT, help="for report.md, report.json and PNGs")
    asked = parser.parse_args(arguments)
    unknown = set(asked.parts) - set(names)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return asked


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of the libraries measured
    sys.exit(main(sys.argv[1:]))
