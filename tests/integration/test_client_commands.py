"""Each command of the command line against the real service, alone and piped."""

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import redis

from deploy.local.processes import Process
from deploy.local.stack import Stack
from tests.integration.client_runs import Client, all_jobs, script, wait_until


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def client(stack: Stack, api: httpx.Client) -> Client:
    return Client(url=stack.url)


@pytest.fixture
def _worker(start_worker: Callable[..., Process]) -> None:
    start_worker()


@pytest.mark.usefixtures("_worker")
def test_transcribe_prints_what_was_said_and_writes_every_format(
    client: Client, tmp_path: Path
) -> None:
    media = script(tmp_path / "talk.mp3", say="hello there")

    ran = client.run("transcribe", media, "-f", "srt,docx,json", "-o", tmp_path / "out")

    assert ran.code == 0, ran.stderr
    assert "hello there" in ran.stdout
    assert (tmp_path / "out/talk.srt").read_text().startswith("1\n00:00:00,000 -->")
    assert (tmp_path / "out/talk.docx").read_bytes().startswith(b"PK\x03\x04")
    assert json.loads((tmp_path / "out/talk.json").read_text())["text"] == "hello there"
    assert "\x1b" not in ran.stdout + ran.stderr


@pytest.mark.usefixtures("_worker")
def test_transcribe_goes_on_after_a_file_that_fails(client: Client, tmp_path: Path) -> None:
    bad = script(tmp_path / "bad.mp3", fail="corrupt")
    good = script(tmp_path / "good.mp3")

    ran = client.run("transcribe", bad, good, "-o", tmp_path, "--json")

    assert ran.code == 1
    assert [value["status"] for value in ran.values] == ["failed", "succeeded"]
    assert ran.values[0]["error"] == "corrupt_media: the script says so"
    assert ran.values[1]["outputs"] == {"srt": str(tmp_path / "good.srt")}


def test_every_option_reaches_the_job(client: Client, tmp_path: Path) -> None:
    flags = shlex.split(
        "-m tiny -l de --task translate --prompt Hm --hotwords a,b --temperature 0.5 "
        "--no-word-times --no-diarize --min-speakers 2 --max-speakers 3 --voice-prints "
        "--channels separate --clip-start 1 --clip-end 2.5 --priority interactive "
        "--external-id x --tag one --tag two,three --retention-days 9 --media-retention-days 2"
    )

    ran = client.run("submit", script(tmp_path / "a.mp3"), *flags, "--metadata", '{"case": 7}')

    assert ran.code == 0, ran.stderr
    (job,) = all_jobs(client.url)
    assert ran.stdout.strip() == job["id"]
    assert job["options"] | {"num_speakers": None, "webhook": None} == {
        "model": "tiny", "language": "de", "task": "translate", "initial_prompt": "Hm",
        "hotwords": "a,b", "temperature": 0.5, "word_timestamps": False, "diarize": False,
        "num_speakers": None, "min_speakers": 2, "max_speakers": 3,
        "return_speaker_embeddings": True, "channels": "separate", "clip_start": 1.0,
        "clip_end": 2.5, "priority": "interactive", "external_id": "x",
        "tags": ["one", "two,three"], "metadata": {"case": 7},
        "retention_days": 9, "media_retention_days": 2,
        "webhook": None,
    }  # fmt: skip


@pytest.mark.usefixtures("_worker")
def test_a_job_is_submitted_waited_for_and_fetched_by_its_id(
    client: Client, tmp_path: Path
) -> None:
    good = client.run("submit", script(tmp_path / "a.mp3", say="hi")).stdout.strip()
    bad = client.run("submit", script(tmp_path / "b.mp3", fail="corrupt")).stdout.strip()

    waited = client.run("wait", good, bad)
    status = client.run("status", good, bad, "nobody", "--json")
    text = client.run("get", good)
    files = client.run("get", good, "-f", "vtt,docx", "-o", tmp_path / "out")

    assert waited.code == 1
    assert waited.stdout.splitlines() == [
        f"{good}\tsucceeded", f"{bad}\tcorrupt_media: the script says so",
    ]  # fmt: skip
    assert status.code == 2
    assert [value.get("status") for value in status.values] == ["succeeded", "failed", None]
    assert "nobody: refused, 404" in status.stderr
    assert (text.code, text.stdout.strip()) == (0, "[SPEAKER_00] hi")
    assert files.code == 0
    assert (tmp_path / f"out/{good}.vtt").read_text().startswith("WEBVTT")
    assert (tmp_path / f"out/{good}.docx").read_bytes().startswith(b"PK")


def test_what_waits_is_shown_and_withdrawn(client: Client, tmp_path: Path) -> None:
    job_id = client.run("submit", script(tmp_path / "a.mp3")).stdout.strip()

    early = client.run("get", job_id)
    queue = client.run("queue")
    queued = json.loads(client.run("queue", "--json").stdout)
    canceled = client.run("cancel", job_id)
    workers = client.run("workers")

    assert early.code == 2
    assert "409" in early.stderr
    assert "normal\t1\t0:00:" in queue.stdout
    assert {each["name"]: each["depth"] for each in queued["queues"]}["normal"] == 1
    assert (canceled.code, canceled.stdout) == (0, f"{job_id}\tcanceled\n")
    assert "no worker is alive" in workers.stderr


def test_a_name_with_escape_codes_does_nothing_to_a_terminal(
    client: Client, tmp_path: Path
) -> None:
    (tmp_path / "\x1b[31mred\x07.mp3").touch()

    said = client.on_a_terminal("batch", tmp_path, "-o", tmp_path / "out", NO_COLOR="1")

    assert b"[31mred.mp3: 400: the file is empty" in said
    assert b"\x1b[31m" not in said
    assert b"\x07" not in said


def test_colours_are_for_terminals_that_want_them(client: Client) -> None:
    assert b"\x1b[31m" in client.on_a_terminal("status", "nobody")
    assert b"\x1b[31m" not in client.on_a_terminal("status", "nobody", NO_COLOR="1")
    assert "\x1b" not in client.run("status", "nobody").stderr


@pytest.mark.usefixtures("_worker")
def test_a_batch_on_a_terminal_shows_a_table_that_moves(client: Client, tmp_path: Path) -> None:
    script(tmp_path / "in/a.mp3", seconds=0.5)
    script(tmp_path / "in/b.mp3", fail="corrupt")

    said = client.on_a_terminal("batch", tmp_path / "in", "-o", tmp_path / "out")

    assert b"2/2" in said
    assert b"b.mp3: corrupt_media" in said
    assert b"1 done, 1 failed" in said


def test_a_reader_that_goes_away_is_no_traceback(client: Client, tmp_path: Path) -> None:
    job_id = client.run("submit", script(tmp_path / "a.mp3")).stdout.strip()
    reading, writing = os.pipe()
    os.close(reading)

    ran = subprocess.run(
        client.command("status", *[job_id] * 3),
        env=client.environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)

    assert ran.returncode == 141
    assert ran.stderr == b""


def test_interrupting_says_that_the_job_goes_on(client: Client, tmp_path: Path) -> None:
    process = client.start("transcribe", script(tmp_path / "a.mp3"), "-o", tmp_path)
    wait_until(lambda: bool(all_jobs(client.url)))
    assert process.stderr is not None
    process.stderr.readline()  # it is queued, and followed
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)

    assert process.returncode == 130
    assert f"whisperline get {all_jobs(client.url)[0]['id']}" in told
    assert all_jobs(client.url)[0]["status"] == "queued"
