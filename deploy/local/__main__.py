"""Run the service here, without containers: python -m deploy.local up|down|logs|keys|demo."""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from dotenv import dotenv_values

from deploy.local.processes import ProcessDied
from deploy.local.sample import sample_call
from deploy.local.stack import ROOT, Ports, PortTaken, Stack, kept_processes

UP = ROOT / ".run" / "up"  # what `make up` keeps: jobs, transcripts, logs, process ids
TRANSCRIPTS = ROOT / "transcripts"


def up() -> int:
    """Start everything in the background."""
    alive, dead = kept_processes(UP)
    if alive and dead:
        _say(f"{', '.join(p.name for p in dead)} died ({UP / 'logs'}): `make down`, then `make up`")
        return 1
    if alive:
        _say("already up; `make down` stops it, `make logs` shows what it says")
        return 1
    stack = Stack(directory=UP, ports=Ports.usual(), outlives_us=True, settings=_dotenv())
    try:
        stack.start_servers()
        _say("Valkey and SeaweedFS are up; starting the API, the worker, Flower …")
        stack.start_programs(with_flower=True)
    except BaseException:
        stack.stop()
        raise
    _say(
        f"API      {stack.url}\n"
        f"Flower   http://127.0.0.1:{stack.ports.flower}  user whisperline, "
        f"password {stack.flower_password}\n"
        f"S3       {stack.seaweedfs.url}  (keys in {UP.relative_to(ROOT)}/secrets.json)\n"
        f"Valkey   127.0.0.1:{stack.ports.valkey}\n"
        "`make logs` follows them, `make down` stops them; jobs and transcripts are kept."
    )
    return 0


def down() -> int:
    """Stop what `up` started, by the ids it wrote down."""
    processes, _ = kept_processes(UP)
    _say("stopping; SeaweedFS takes up to half a minute …")
    for process in reversed(processes):
        process.stop(within_seconds=45)  # a worker finishes or hands back its jobs first
    _say(f"stopped {len(processes)} processes" if processes else "nothing was running")
    return 0


def logs() -> int:
    """Follow the logs of `up` until Ctrl-C."""
    files = sorted((UP / "logs").glob("*.log"))
    if not files:
        _say("no logs yet; `make up` first")
        return 1
    tail = shutil.which("tail") or "tail"
    return subprocess.call([tail, "-n", "20", "-F", *map(str, files)])  # noqa: S603


def keys(arguments: list[str]) -> int:
    """Make, list or revoke API keys of the service that `up` runs."""
    stack = Stack(directory=UP, ports=Ports.usual(), outlives_us=True, settings=_dotenv())
    command = [sys.executable, "-m", "api", "keys", *arguments]
    return subprocess.call(command, cwd=ROOT, env=stack.environment)  # noqa: S603


def demo(media: Path | None) -> int:
    """Run the whole service on free ports, transcribe one file over HTTP, and leave nothing."""
    chosen = media or sample_call()
    if not chosen.is_file():
        _say(f"no such file: {chosen}")
        return 2
    with tempfile.TemporaryDirectory(prefix="whisperline-demo-") as directory:
        stack = Stack(
            directory=Path(directory), ports=Ports.free(), outlives_us=False, settings=_dotenv()
        )
        try:
            _say("starting Valkey, SeaweedFS, the worker and the API on free ports …")
            stack.start_servers()
            stack.start_programs(with_flower=False)
            client = [sys.executable, "-m", "client", "transcribe", str(chosen.resolve())]
            client += ["--url", stack.url, "--output-dir", str(TRANSCRIPTS), "-f", "srt,vtt,json"]
            return subprocess.call(client, cwd=ROOT)  # noqa: S603
        finally:
            stack.stop()


def main() -> int:
    """Read the command line."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` stops the stack
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "down", "logs"):
        commands.add_parser(name)
    commands.add_parser("keys").add_argument("arguments", nargs=argparse.REMAINDER)
    commands.add_parser("demo").add_argument("media", nargs="?", type=Path)
    arguments = parser.parse_args()
    actions: dict[str, Callable[[], int]] = {
        "up": up,
        "down": down,
        "logs": logs,
        "keys": lambda: keys(arguments.arguments),
        "demo": lambda: demo(arguments.media),
    }
    try:
        return actions[arguments.command]()
    except (PortTaken, ProcessDied) as error:
        _say(f"{error}")
        return 1
    except KeyboardInterrupt:
        return 130


def _dotenv() -> dict[str, str]:
    """Return the settings in `.env`; where Redis and S3 are is the stack's own choice."""
    return {name: value for name, value in dotenv_values(ROOT / ".env").items() if value}


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
