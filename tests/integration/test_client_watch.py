"""A hot folder through the command line."""

import json
import signal
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import httpx
import pytest
import redis

from client.backlog import Backlog
from client.items import Item
from client.patience import Patience
from client.screen import Screen
from client.service import Service
from client.supply import Listed
from deploy.local.processes import Process
from deploy.local.stack import Stack
from tests.integration.client_runs import Client, all_jobs, script, wait_until


@pytest.fixture
def client(
    stack: Stack, api: httpx.Client, valkey: "redis.Redis", start_worker: Callable[..., Process]
) -> Client:
    start_worker()
    return Client(url=stack.url)


def test_a_growing_file_is_taken_when_it_is_complete(client: Client, tmp_path: Path) -> None:
    inbox = tmp_path / "in"
    out = inbox / "transcripts"  # inside: what comes out must not go in again
    script(inbox / "first.mp3")
    script(out / "again.mp3")
    watching = client.start(
        "watch", inbox, "-o", out, "-f", "json", "--settle", "1", "--every", "0.2"
    )
    content = json.dumps({"say": "all of it"})
    with (inbox / "slow.mp3").open("w") as growing:
        for character in content:  # as slow as the client looks
            growing.write(character)
            growing.flush()
            wait_until((inbox / "slow.mp3").exists)
            client.run("--version")
    for name in ("half.mp3.part", ".hidden.mp3", "movie.temp.mp4", "notes.txt"):
        script(inbox / name)
    (inbox / "empty.mp3").touch()
    wait_until(lambda: (out / "slow.json").exists())
    wait_until(lambda: (out / ".whisperline.jsonl").read_bytes().count(b"\n") == 2)
    watching.send_signal(signal.SIGINT)
    _, told = watching.communicate(timeout=30)

    assert watching.returncode == 130
    assert "Run the very same command again" in told
    assert json.loads((out / "slow.json").read_text())["text"] == "all of it"
    assert sorted(job["media"]["filename"] for job in all_jobs(client.url)) == [
        "first.mp3",
        "slow.mp3",
    ]


def test_of_a_file_that_is_replaced_the_last_transcript_stays(
    client: Client, tmp_path: Path
) -> None:
    slow = script(tmp_path / "1/a.mp3", say="the first", seconds=1.5)
    quick = script(tmp_path / "2/a.mp3", say="its replacement")
    items = [Item(relative=PurePosixPath("a.mp3"), path=path) for path in (slow, quick)]
    screen, backlog = Screen(as_json=False), Backlog(output_dir=tmp_path / "out", formats="txt")

    with Service(client.url, patience=Patience(seconds=60)) as service:
        assert backlog.drain(Listed(items), service, screen, again="")

    assert "its replacement" in (tmp_path / "out/a.txt").read_text()
    assert len(all_jobs(client.url)) == 2


def test_once_takes_what_is_there_and_ends(client: Client, tmp_path: Path) -> None:
    script(tmp_path / "in/a/b.mp3")
    script(tmp_path / "in/bad.mp3", fail="corrupt")
    arguments = ("watch", tmp_path / "in", "-o", tmp_path / "out", "--once", "--settle", "0.2")

    first = client.run(*arguments, "--json")
    (tmp_path / "in/bad.mp3").unlink()
    second = client.run(*arguments, "--json")

    assert (first.code, second.code) == (1, 0), first.stderr
    assert (tmp_path / "out/a/b.srt").exists()
    assert first.values[-1] == {"type": "summary", "done": 1, "skipped": 0, "failed": 1}
    assert second.values[-1] == {"type": "summary", "done": 0, "skipped": 1, "failed": 0}
