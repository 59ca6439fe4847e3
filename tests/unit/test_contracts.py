"""The import contracts hold, and break when they should."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "client", "jobs", "pipeline", "transcript", "worker")
LINT = Path(sys.executable).with_name("lint-imports")


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT, "--no-cache"], cwd=directory, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold(copy: Path) -> None:
    run = lint(copy)

    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(
    ("file", "statement"),
    [
        ("api/app.py", "import torch"),
        ("api/app.py", "from worker.settings import WorkerSettings"),
        ("api/app.py", "from pipeline.settings import PipelineSettings"),
        ("client/service.py", "from jobs.job import Job"),
        ("jobs/job.py", "from jobs.store import JobStore"),
        ("jobs/store.py", "import faster_whisper"),
        ("pipeline/run.py", "from jobs.store import JobStore"),
        ("transcript/cues.py", "from jobs.options import Task"),
        ("worker/performing.py", "from api.settings import ApiSettings"),
    ],
)
def test_a_forbidden_import_breaks_one(copy: Path, file: str, statement: str) -> None:
    path = copy / file
    path.write_text(f"{path.read_text()}\n\ndef _never() -> None:\n    {statement}\n")

    run = lint(copy)

    assert run.returncode == 1, run.stdout
    assert "BROKEN" in run.stdout
