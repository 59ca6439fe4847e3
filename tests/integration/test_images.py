"""What each image installs is enough for its program, and the API's is slim."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "whisperx", "pyannote", "faster_whisper", "ctranslate2", "av", "numpy")


@pytest.fixture(scope="session")
def api_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with nothing but what requirements/api.txt locks."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    assert uv is not None
    venv = tmp_path_factory.mktemp("api-image")
    python = venv / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, venv], check=True)
    locked = ROOT / "requirements" / "api.txt"
    install: list[str | Path] = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--python",
        python,
        "--require-hashes",
        "-r",
        locked,
    ]
    subprocess.run(install, check=True)
    return python


def test_the_api_imports_without_torch_and_without_any_setting(api_python: Path) -> None:
    code = f"import api.wsgi, sys; print([m for m in {HEAVY!r} if m in sys.modules])"

    run = subprocess.run(
        [api_python, "-c", code],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (run.returncode, run.stdout) == (0, "[]\n"), run.stderr


def test_a_typing_error_in_a_setting_stops_the_program_with_one_line() -> None:
    run = subprocess.run(
        [sys.executable, "-c", "import api.wsgi"],
        cwd=ROOT,
        env={**os.environ, "MAX_FILE_SIZE_MB": "lots", "API_THREADS": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 2
    assert run.stderr.startswith("setting MAX_FILE_SIZE_MB: ")
    assert len(run.stderr.splitlines()) == 1
