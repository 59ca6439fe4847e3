"""Run the command line as its users do: as a program of its own."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What it came to."""

    code: int
    stdout: str
    stderr: str

    @property
    def values(self) -> list[dict[str, Any]]:
        """The JSON lines of `--json`."""
        return [json.loads(line) for line in self.stdout.splitlines()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The command line, and the service it shall speak to."""

    url: str

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "client", *map(str, arguments)]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        ours = {"WHISPERLINE_URL": self.url, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
        return {"PATH": os.environ["PATH"], **ours, **(more or {})}

    def run(
        self, *arguments: object, variables: Mapping[str, str] | None = None, seconds: float = 120
    ) -> Ran:
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment(variables),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        return Ran(code=done.returncode, stdout=done.stdout.decode(), stderr=done.stderr.decode())

    def start(self, *arguments: object) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def on_a_terminal(self, *arguments: object, **variables: str) -> bytes:
        """Return all that a command writes to a terminal of 80 columns."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            self.command(*arguments),
            env=self.environment({"COLUMNS": "80", **variables}),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        said = b""
        with suppress(OSError):  # how Linux says that nobody writes any longer
            while piece := os.read(ours, 65536):
                said += piece
        os.close(ours)
        process.wait(timeout=60)
        return said


def script(path: Path, **does: object) -> Path:
    """Write media that does what it says; see `stand_in_worker.py`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"say": f"I am {path.name}", **does}))
    return path


def all_jobs(url: str) -> list[dict[str, Any]]:
    """Return every job the service has, from all pages."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = httpx.get(f"{url}/v1/jobs", params={"limit": "100", **cursor}).json()
        found += page["data"]
        if not page["has_more"]:
            return found
        cursor = {"cursor": page["next_cursor"]}


def wait_until(condition: Callable[[], bool], *, within_seconds: float = 60) -> None:
    """Return once something holds."""
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
