"""A backlog through the command line, killed and resumed."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import redis

from deploy.local.processes import Process
from deploy.local.stack import Stack
from tests.integration.client_runs import Client, all_jobs, script, wait_until

JOURNAL = ".whisperline.jsonl"


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def client(stack: Stack, api: httpx.Client) -> Client:
    return Client(url=stack.url)


@pytest.fixture
def _worker(start_worker: Callable[..., Process]) -> None:
    start_worker()


def backlog(folder: Path, count: int, **does: object) -> list[Path]:
    """Write media into a folder and two below it; return their paths below it."""
    names = [Path(f"{('', 'a', 'a/b')[number % 3]}/{number:03}.mp3") for number in range(count)]
    relative = [Path(str(name).lstrip("/")) for name in names]
    for name in relative:
        script(folder / name, **does)
    return relative


def done(out: Path) -> int:
    journal = out / JOURNAL
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


@pytest.mark.usefixtures("_worker")
def test_a_batch_killed_at_any_moment_is_resumed_without_doing_anything_twice(
    client: Client, tmp_path: Path
) -> None:
    media, out = tmp_path / "in", tmp_path / "out"
    names = backlog(media, 40, seconds=0.15)
    arguments = ("batch", media, "-o", out, "-f", "txt,json")

    for how in (signal.SIGKILL, signal.SIGKILL, signal.SIGINT):
        before = done(out)
        process = client.start(*arguments)
        wait_until(lambda: done(out) > before + 2)  # noqa: B023  # of this very run
        process.send_signal(how)
        _, told = process.communicate(timeout=30)
        if how == signal.SIGINT:
            assert process.returncode == 130, told
            assert "very same command" in told
        else:
            assert process.returncode == -signal.SIGKILL
    assert done(out) < 40
    last = client.run(*arguments, "--json")

    assert last.code == 0, last.stderr
    assert len(all_jobs(client.url)) == 40
    for name in names:
        assert (out / name.with_suffix(".txt")).read_text().strip().endswith(f"I am {name.name}")
        assert json.loads((out / name.with_suffix(".json")).read_text())["language"] == "en"
    assert len([value for value in last.values if value["type"] == "item"]) == 40
    again = client.run(*arguments, "--json", variables={"WHISPERLINE_URL": "http://127.0.0.1:1"})
    assert again.code == 0  # nothing has to be asked for
    assert again.values[-1] == {"type": "summary", "done": 0, "skipped": 40, "failed": 0}


@pytest.mark.usefixtures("_worker")
def test_one_failing_file_stops_no_other_and_is_tried_again_by_the_next_run(
    client: Client, tmp_path: Path
) -> None:
    media, out = tmp_path / "in", tmp_path / "out"
    backlog(media, 4)
    script(media / "bad.wav", fail="corrupt")
    (media / "empty.wav").touch()

    first = client.run("batch", media, "-o", out)
    second = client.run("batch", media, "-o", out, "--json")
    third = client.run("batch", media, "-o", out, "--no-retry-failed")

    assert (first.code, second.code, third.code) == (1, 1, 1)
    assert "bad.wav: failed: corrupt_media: the script says so" in first.stderr
    assert "empty.wav: failed: 400: the file is empty" in first.stderr
    assert second.values[-1] == {"type": "summary", "done": 0, "skipped": 4, "failed": 2}
    (failed,) = [job for job in all_jobs(client.url) if job["status"] == "failed"]
    assert failed["attempt"] == 1  # counted anew by the retry
    assert len(all_jobs(client.url)) == 5


@pytest.mark.usefixtures("_worker")
def test_identical_files_are_one_job_and_files_of_one_stem_two_transcripts(
    client: Client, tmp_path: Path
) -> None:
    media, out = tmp_path / "in", tmp_path / "out"
    script(media / "a.mp3", say="the first")
    script(media / "a.wav", say="the second")
    script(media / "sub/copy.ogg", say="the first")

    ran = client.run("batch", media, "-o", out, "-f", "txt")

    assert ran.code == 0, ran.stderr
    assert "the first" in (out / "a.mp3.txt").read_text()
    assert "the second" in (out / "a.wav.txt").read_text()
    assert "the first" in (out / "sub/copy.txt").read_text()
    assert len(all_jobs(client.url)) == 2


@pytest.mark.usefixtures("_worker")
def test_a_lost_journal_or_transcript_costs_no_second_job(client: Client, tmp_path: Path) -> None:
    media, out = tmp_path / "in", tmp_path / "out"
    backlog(media, 3)
    assert client.run("batch", media, "-o", out).code == 0

    (out / JOURNAL).unlink()
    assert client.run("batch", media, "-o", out).code == 0
    (out / "000.srt").unlink()
    assert client.run("batch", media, "-o", out, "-f", "srt,vtt").code == 0

    assert (out / "000.srt").read_text().startswith("1\n")
    assert (out / "a/001.vtt").exists()
    assert len(all_jobs(client.url)) == 3


@pytest.mark.usefixtures("_worker")
def test_other_options_or_other_bytes_are_another_job(client: Client, tmp_path: Path) -> None:
    media, out = tmp_path / "in", tmp_path / "out"
    (name,) = backlog(media, 1)
    assert client.run("batch", media, "-o", out, "-f", "txt").code == 0

    assert client.run("batch", media, "-o", out, "-f", "txt", "-l", "german").code == 0
    script(media / name, say="something new")
    assert client.run("batch", media, "-o", out, "-f", "txt", "-l", "german").code == 0

    jobs = all_jobs(client.url)
    assert [job["options"]["language"] for job in jobs] == ["de", "de", None]
    assert {job["options"]["priority"] for job in jobs} == {"batch"}
    assert "something new" in (out / "000.txt").read_text()


@pytest.mark.usefixtures("_worker")
def test_what_was_purged_is_done_again_only_where_its_transcript_is_missing(
    client: Client, api: httpx.Client, tmp_path: Path
) -> None:
    media, out = tmp_path / "in", tmp_path / "out"
    backlog(media, 2)
    assert client.run("batch", media, "-o", out).code == 0
    for job in all_jobs(client.url):
        assert api.delete(f"/v1/jobs/{job['id']}").status_code == 204

    assert client.run("batch", media, "-o", out).code == 0
    assert all_jobs(client.url) == []
    (out / "a/001.srt").unlink()
    assert client.run("batch", media, "-o", out).code == 0

    (job,) = all_jobs(client.url)
    assert job["media"]["filename"] == "001.mp3"
    assert job["client_id"].endswith("-2")


@pytest.mark.usefixtures("_worker")
def test_a_manifest_has_options_for_each_line(client: Client, tmp_path: Path) -> None:
    script(tmp_path / "media/a.mp3")
    manifest = tmp_path / "list.jsonl"
    lines = [
        {"path": "media/a.mp3", "language": "de", "tags": ["x,y"]},
        {"path": "media/a.mp3", "language": "fr"},
        {"url": "http://127.0.0.1/talk.mp3"},
        {"path": "media/a.mp3", "model": "no-such-model"},
        {"path": "media/gone.mp3"},
    ]
    manifest.write_text("\n".join(map(json.dumps, lines)))

    ran = client.run("batch", manifest, "-o", tmp_path / "out", "-f", "txt", "--json")

    assert ran.code == 1, ran.stderr
    assert ran.values[-1] == {"type": "summary", "done": 2, "skipped": 0, "failed": 3}
    assert (tmp_path / "out/media/a.txt").exists()
    languages = {job["options"]["language"]: job["options"]["tags"] for job in all_jobs(client.url)}
    assert languages == {"de": ["x,y"], "fr": []}
    errors = " ".join(value["error"] for value in ran.values if value.get("error"))
    assert "ALLOW_PRIVATE_ADDRESSES" in errors
    assert "unknown model" in errors


def test_options_that_every_file_would_be_refused_for_end_it_at_once(
    client: Client, tmp_path: Path
) -> None:
    backlog(tmp_path / "in", 5)

    ran = client.run("batch", tmp_path / "in", "-o", tmp_path / "out", "--language", "klingon")

    assert ran.code == 2
    assert "unknown language 'klingon'" in ran.stderr
    assert all_jobs(client.url) == []


def test_two_runs_do_not_write_to_one_folder(client: Client, tmp_path: Path) -> None:
    backlog(tmp_path / "in", 1)
    arguments = ("batch", tmp_path / "in", "-o", tmp_path / "out")
    first = client.start(*arguments)
    wait_until(lambda: bool(all_jobs(client.url)))

    second = client.run(*arguments)
    first.kill()
    first.communicate()

    assert second.code == 2
    assert "another whisperline" in second.stderr
