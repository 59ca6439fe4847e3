"""Every command that the README shows works as it stands there."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local.servers import is_listening
from deploy.local.stack import Ports, Stack

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
USUAL = Ports.usual()


def shell(script: str, *, directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        cwd=directory,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=580,
    )


def test_the_blocks_are_make_targets_and_calls_of_the_service() -> None:
    """A new kind of command needs a test of its own."""
    targets = [block.strip() for block in BLOCKS if block.startswith("make")]

    assert targets == ["make demo", "make test", "make up", "make down"]
    assert len(BLOCKS) - len(targets) == 9


def test_the_calls_of_the_service_answer(service: Stack, call: Path, tmp_path: Path) -> None:
    shutil.copy(call, tmp_path / "call.wav")
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    script = "\n".join(block for block in BLOCKS if not block.startswith("make"))
    # A refused call must fail the script; in the README, -s alone is easier to read.
    script = script.replace("curl -s", "curl -sS --fail-with-body")
    script = script.replace("http://localhost:9000", service.url)

    run = shell(
        script, directory=tmp_path, WHISPERLINE_URL=service.url, PYTHONPATH=str(ROOT), NO_COLOR="1"
    )

    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert '"status":"succeeded"' in run.stdout
    assert "[SPEAKER_01]" in run.stdout
    assert "WEBVTT" in run.stdout
    assert (tmp_path / "transcripts" / "call.srt").read_text().startswith("1\n")
    assert (tmp_path / "transcripts" / "call.vtt").read_text().startswith("WEBVTT")


@pytest.mark.timeout(900)
def test_the_demo_takes_a_file_of_the_users_own_and_leaves_nothing(
    call: Path, tmp_path: Path
) -> None:
    own = tmp_path / 'it\'s "my" talk.mka'
    _reencode(call, own)

    run = shell('make demo AUDIO="$OWN"', directory=ROOT, OWN=str(own))

    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert "[SPEAKER_01]" in run.stdout
    srt = ROOT / "transcripts" / f"{own.stem}.srt"
    assert srt.read_text().startswith("1\n")
    assert not _ours("whisperline-demo-")
    for suffix in (".srt", ".vtt", ".json"):
        srt.with_suffix(suffix).unlink()


def test_the_demo_says_so_when_there_is_no_such_file() -> None:
    run = shell("make demo AUDIO=nowhere.mp3", directory=ROOT)

    assert run.returncode != 0
    assert "no such file: nowhere.mp3" in run.stderr


@pytest.mark.timeout(900)
def test_up_runs_in_the_background_and_down_stops_all_of_it() -> None:
    ports = (USUAL.api, USUAL.flower, USUAL.s3, USUAL.valkey)
    if any(is_listening(port) for port in ports):
        pytest.skip(f"one of the ports {ports} is in use on this machine")

    up = shell("make up", directory=ROOT)
    try:
        assert up.returncode == 0, up.stderr[-3000:]
        assert all(is_listening(port) for port in ports)
        ready = shell("curl -sS --fail-with-body http://localhost:9000/ready", directory=ROOT)
        assert '"status":"ready"' in ready.stdout
        locked = shell(
            f"curl -s -o /dev/null -w '%{{http_code}}' http://127.0.0.1:{USUAL.flower}/",
            directory=ROOT,
        )
        assert locked.stdout == "401"
        again = shell("make up", directory=ROOT)
        assert again.returncode != 0
        assert "already up" in again.stderr
    finally:
        down = shell("make down", directory=ROOT)
    assert down.returncode == 0
    assert not any(is_listening(port) for port in ports)
    assert not _ours(str(ROOT / ".run" / "up"))


def _ours(part: str) -> list[int]:
    """Return the ids of processes whose command line or working folder names a path."""
    import psutil

    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(part in argument for argument in process.info["cmdline"] or ())
    ]


def _reencode(source: Path, target: Path) -> None:
    """Write the sound of a file as Opus in Matroska."""
    import av

    with av.open(str(source)) as media, av.open(str(target), "w", format="matroska") as out:
        stream = out.add_stream("libopus", rate=48_000)
        resampler = av.AudioResampler(format="s16", layout="mono", rate=48_000)
        for frame in media.decode(audio=0):
            for converted in resampler.resample(frame):
                out.mux(stream.encode(converted))
        for converted in resampler.resample(None):
            out.mux(stream.encode(converted))
        out.mux(stream.encode(None))
