"""The command line on real speech."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.local.stack import ROOT, Stack


def test_a_folder_of_speech_becomes_a_folder_of_subtitles(
    service: Stack, call: Path, tmp_path: Path
) -> None:
    for name in ("monday/call.wav", "tuesday/call.wav"):
        (tmp_path / "in" / name).parent.mkdir(parents=True)
        shutil.copy(call, tmp_path / "in" / name)
    command = [sys.executable, "-m", "client", "batch", "in", "-o", "out", "-f", "srt,json"]
    options = ["-l", "en", "-m", "tiny.en", "--max-speakers", "2", "--json", "--url", service.url]

    done = subprocess.run(
        [*command, *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=280,
        check=False,
    )

    assert done.returncode == 0, done.stderr.decode()
    items = [json.loads(line) for line in done.stdout.splitlines()]
    assert len({item["job"] for item in items[:2]}) == 1  # the same bytes
    for day in ("monday", "tuesday"):
        assert "[SPEAKER_01]" in (tmp_path / f"out/{day}/call.srt").read_text()
        transcript = json.loads((tmp_path / f"out/{day}/call.json").read_text())
        assert len(transcript["speakers"]) == 2
