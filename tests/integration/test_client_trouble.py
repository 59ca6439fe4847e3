"""The command line and a service that is full, restarts, or does not let it in."""

import hashlib
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import httpx
import pytest
import redis

from client.items import Item
from client.patience import Patience
from client.sending import ChangedMeanwhile, Contents, Sender
from client.service import Service
from deploy.local.processes import Process
from deploy.local.stack import Stack
from jobs import s3_client as s3
from jobs.files import JobFiles
from jobs.key_files import hash_of
from tests.integration.client_runs import Client, all_jobs, script, wait_until
from tests.integration.second_api import SecondApi

KEY = "wl_annskey_000000000000000000000000000"
StartSecondApi = Callable[..., SecondApi]


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture(scope="module")
def keyed(stack: Stack, start_second_api: StartSecondApi) -> SecondApi:
    """An API with keys, and a bucket of its own for them."""
    bucket = f"client-{uuid.uuid4().hex}"
    JobFiles(s3.connect(stack.store_settings), bucket).ensure_bucket()
    return start_second_api(S3_BUCKET=bucket, API_KEYS=f"ann:{hash_of(KEY)}", ADMIN_OWNERS="ann")


def test_a_full_queue_is_waited_for(
    start_second_api: StartSecondApi, start_worker: Callable[..., Process], tmp_path: Path
) -> None:
    full = Client(url=start_second_api(MAX_QUEUED_PER_OWNER="2").url)
    for number in range(6):
        script(tmp_path / f"in/{number}.mp3")
    running = full.start("batch", tmp_path / "in", "-o", tmp_path / "out")
    assert running.stderr is not None
    told = running.stderr.readline()
    start_worker()
    _, rest = running.communicate(timeout=100)

    assert "429: 2 of your jobs are waiting already" in told
    assert running.returncode == 0, rest
    assert len(all_jobs(full.url)) == 6


def test_impatience_with_a_full_queue_ends_with_its_own_exit_code(
    start_second_api: StartSecondApi, tmp_path: Path
) -> None:
    full = Client(url=start_second_api(MAX_QUEUED_PER_OWNER="1").url)
    media = [script(tmp_path / f"{number}.mp3") for number in range(2)]

    ran = full.run("submit", *media, "--patience", "0")

    assert ran.code == 3
    assert "429" in ran.stderr
    assert len(ran.stdout.splitlines()) == 1


def test_a_restart_of_the_service_is_waited_for(
    stack: Stack,
    start_second_api: StartSecondApi,
    start_worker: Callable[..., Process],
    tmp_path: Path,
) -> None:
    start_worker()
    api = start_second_api()
    client = Client(url=api.url)
    for number in range(20):
        script(tmp_path / f"in/{number}.mp3", seconds=0.2)
    running = client.start("batch", tmp_path / "in", "-o", tmp_path / "out")
    wait_until(lambda: len(all_jobs(api.url)) > 4)
    api.process.stop()
    port = httpx.URL(api.url).port
    assert port is not None
    again = stack.start_api(port=port, variables={"API_PROCESSES": "1"})
    _, told = running.communicate(timeout=100)
    jobs = all_jobs(api.url)
    again.stop()

    assert running.returncode == 0, told
    assert len(jobs) == 20
    assert len(list((tmp_path / "out").glob("*.srt"))) == 20


def test_without_a_service_the_exit_code_says_so(tmp_path: Path) -> None:
    nowhere = Client(url="http://127.0.0.1:1")

    ran = nowhere.run("transcribe", script(tmp_path / "a.mp3"))
    batch = nowhere.run("batch", tmp_path, "-o", tmp_path / "out", "--patience", "1")

    assert (ran.code, batch.code) == (3, 3)
    assert "no answer from http://127.0.0.1:1" in ran.stderr
    assert "trying again" in batch.stderr
    assert "Traceback" not in ran.stderr + batch.stderr


def test_who_is_not_let_in_is_told_so_once(keyed: SecondApi, tmp_path: Path) -> None:
    client = Client(url=keyed.url)
    for number in range(5):
        script(tmp_path / f"{number}.mp3")

    ran = client.run("batch", tmp_path, "-o", tmp_path / "out", "--api-key", "wrong")

    assert ran.code == 2
    assert "401: send a key of this service" in ran.stderr
    assert all(line.count("failed") == 0 for line in ran.stderr.splitlines())


def test_a_key_comes_from_a_file_or_the_environment(keyed: SecondApi, tmp_path: Path) -> None:
    client = Client(url=keyed.url)
    (tmp_path / "key").write_text(f"{KEY}\n")

    from_file = client.run("queue", "--api-key-file", tmp_path / "key")
    before = client.run("--api-key-file", tmp_path / "key", "queue")
    from_environment = client.run("queue", variables={"WHISPERLINE_API_KEY": KEY})
    argument_wins = client.run("queue", "--api-key", "x", variables={"WHISPERLINE_API_KEY": KEY})

    assert (from_file.code, before.code, from_environment.code) == (0, 0, 0)
    assert argument_wins.code == 2
    assert "clear text" not in from_file.stderr  # it stays on this machine


def test_keys_are_made_listed_and_revoked(keyed: SecondApi) -> None:
    client = Client(url=keyed.url)
    ann = {"WHISPERLINE_API_KEY": KEY}

    made = client.run("keys", "create", "bob", variables=ann)
    bob = {"WHISPERLINE_API_KEY": made.stdout.strip()}
    wait_until(lambda: client.run("queue", variables=bob).code == 0)
    refused = client.run("keys", "list", variables=bob)
    listed = client.run("keys", "list", variables=ann)
    revoked = client.run("keys", "revoke", "bob", "--json", variables=ann)
    gone = client.run("keys", "revoke", "bob", variables=ann)

    assert made.code == 0
    assert len(made.stdout.split()) == 1
    assert (refused.code, "403" in refused.stderr) == (2, True)
    assert [line.split("\t")[0] for line in listed.stdout.splitlines()] == ["name", "ann", "bob"]
    assert revoked.values == [{"name": "bob", "revoked": True}]
    assert (gone.code, "there is no key of bob" in gone.stderr) == (2, True)


@pytest.fixture
def sender(api: httpx.Client) -> Iterator[Sender]:
    with Service(str(api.base_url), patience=Patience(seconds=60)) as service:
        yield Sender(service=service, retries_failed=True)


def test_a_file_that_changes_while_it_is_sent_leaves_no_job(
    sender: Sender, api: httpx.Client, tmp_path: Path
) -> None:
    media = script(tmp_path / "a.mp3")
    item = Item(relative=PurePosixPath("a.mp3"), path=media)

    def is_done(contents: Contents) -> bool:
        script(media, say="somebody writes meanwhile")
        return False

    with pytest.raises(ChangedMeanwhile):
        sender.send(item, is_done=is_done, on_bytes=lambda count: None)
    assert all_jobs(str(api.base_url)) == []
    sent = sender.send(item, is_done=lambda contents: False, on_bytes=lambda count: None)
    assert sent.job is not None
    assert sent.job.media.sha256 == hashlib.sha256(media.read_bytes()).hexdigest()


def test_the_bytes_of_a_known_job_are_not_sent_again(sender: Sender, tmp_path: Path) -> None:
    item = Item(relative=PurePosixPath("a.mp3"), path=script(tmp_path / "a.mp3"))
    counts: list[int] = []

    ids = {
        sent.job.id
        for _ in range(2)
        if (sent := sender.send(item, is_done=lambda _: False, on_bytes=counts.append)).job
    }

    assert len(ids) == 1
    assert sum(counts) == (tmp_path / "a.mp3").stat().st_size


def test_many_threads_with_the_same_media_make_one_job(
    sender: Sender, api: httpx.Client, tmp_path: Path
) -> None:
    items = [
        Item(relative=PurePosixPath(name), path=script(tmp_path / name, say="twins"))
        for name in "abcdefgh"
    ]
    barrier = threading.Barrier(len(items))
    counts: list[int] = []

    def send(item: Item) -> None:
        barrier.wait()
        sender.send(item, is_done=lambda contents: False, on_bytes=counts.append)

    threads = [threading.Thread(target=send, args=[item]) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(all_jobs(str(api.base_url))) == 1
    assert sum(counts) == (tmp_path / "a").stat().st_size  # sent once
