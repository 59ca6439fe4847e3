"""Whoever deletes a job finds nothing of it anywhere, whenever the deletion comes."""

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import redis

from deploy.local.processes import Process
from jobs import s3_client as s3
from jobs.batch_work import batch_work
from jobs.files import JobFiles
from jobs.heard import Heard, HeardSegment
from jobs.redis_client import texts
from jobs.settings import StoreSettings
from jobs.store import REBUILT, JobStore
from jobs.sweeping import SWEEP_AFTER_SECONDS, SWEEPING
from tests.integration.asr_requests import asr
from tests.integration.batches_sent import VARIABLES, Archive, item, over, sent
from tests.integration.post_office import PostOffice
from tests.integration.second_api import SecondApi
from tests.integration.test_uploads import sent as upload_sent
from tests.integration.traces import Traces
from tests.integration.webhook_receiver import Receiver
from worker.housekeeper import Housekeeper
from worker.retention import Retention, retention

StartWorker = Callable[..., Process]

# What may name a deleted job, and for how long.
_BY_CONTRACT = re.compile(
    "|".join(
        (
            r"whisperline:purged:job_\w+",  # the tombstone: 410, for 30 days
            r"whisperline:batch_purged:bat_\w+",
            r"whisperline:name:anonymous:(id|key):\w+",  # answers 410: 30 days or 1
            r"s3:names/anonymous/key/\w+\.json",  # the same, where Redis is emptied
            r"whisperline:same:anonymous:\w+",  # the job's id, for 12 hours after a held request
            r"whisperline:deliver(y|ies):\w+",  # the log of webhooks: 7 days after the last call
        )
    )
)
_LOG_OF_WEBHOOKS = re.compile(r"whisperline:delivery:\w+")  # says what the receiver was told


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with a Valkey that is empty, and known to have lost nothing."""
    valkey.set(REBUILT, "1")


@pytest.fixture
def traces(valkey: "redis.Redis", settings: StoreSettings) -> Traces:
    return Traces(valkey, s3.connect(settings), settings.s3_bucket)


@pytest.fixture
def keeper(valkey: "redis.Redis", store: JobStore, settings: StoreSettings) -> Retention:
    """The part of the housekeeper that deletes, in this process."""
    storage, bucket = s3.connect(settings), settings.s3_bucket
    work = batch_work(valkey, store, storage, bucket)
    return retention(valkey, store, storage, bucket, work)


@pytest.fixture
def client(start_second_api: Callable[..., SecondApi]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=start_second_api(**VARIABLES).url, timeout=60) as client:
        yield client


def finished(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(f"/v1/jobs/{job['id']}", params={"wait": 30}).json()
    assert answer["status"] in ("succeeded", "failed"), answer
    found: dict[str, Any] = answer
    return found


def later(valkey: "redis.Redis") -> None:
    """Let the minutes go by after which deleted jobs are looked after again."""
    valkey.zadd(SWEEPING, dict.fromkeys(texts(valkey.zrange(SWEEPING, 0, -1)), 0))


def test_nothing_is_left_of_deleted_jobs_but_what_the_contract_says(
    client: httpx.Client,
    start_worker: StartWorker,
    office: PostOffice,
    receiver: Receiver,
    housekeeper: Housekeeper,
    keeper: Retention,
    traces: Traces,
    settings: StoreSettings,
    valkey: "redis.Redis",
) -> None:
    start_worker()
    word = secrets.token_hex(8)  # in all that the client says, and in what is said
    script = {"say": f"spoken-{word}"}
    facts: dict[str, Any] = {
        "external_id": f"case-{word}",
        "tags": [f"tag-{word}"],
        "metadata": {"note": word},
        "webhook": {"url": f"{receiver.url}?token={word}", "events": ["job.started", "job.failed"]},
    }
    form = facts | {"metadata": json.dumps(facts["metadata"])}
    form |= {"webhook": json.dumps(facts["webhook"])}
    media = {"file": (f"{word}.wav", json.dumps(script).encode())}
    broken = {"file": (f"{word}.wav", json.dumps({"fail": "corrupt", "say": word}).encode())}

    named = client.put(f"/v1/jobs/{word}", data=form, files=media).json()
    failing = client.post("/v1/jobs", data=form, files=broken).json()
    with httpx.Client() as storage:
        upload = upload_sent(client, storage, json.dumps(script).encode(), filename=f"{word}.wav")
    asked = {"source": {"upload_id": upload}, **facts}
    once = client.post("/v1/jobs", json=asked, headers={"Idempotency-Key": word}).json()
    Archive(settings).put(**{word: script})
    batch = sent(client, [item(word)], metadata={"note": word})
    spoken = asr(str(client.base_url).rstrip("/"), json.dumps(script | {"seconds": 0.1}).encode())
    assert word in spoken.text
    assert finished(client, failing)["status"] == "failed"
    client.post(f"/v1/jobs/{failing['id']}/retry").raise_for_status()
    jobs = client.get("/v1/jobs").json()["data"]
    for job in jobs:
        finished(client, job)
    over(client, batch)
    office.clock.seconds = time.time() + 1
    office.work()
    ids = [job["id"] for job in jobs]
    assert {named["id"], failing["id"], once["id"]} < set(ids)
    assert len(ids) == 5
    assert receiver.calls

    for job_id in ids:
        client.delete(f"/v1/jobs/{job_id}").raise_for_status()
    heard_or_held = traces.of(f"spoken-{word}")
    later(valkey)
    keeper.make_round()
    housekeeper.make_round()
    left = traces.of(word, upload, batch["id"], *ids)

    assert heard_or_held == set()  # at once: what was said, and its files
    assert {key for key in left if not _BY_CONTRACT.fullmatch(key)} == set()
    assert {key for key in traces.of(word) if not _LOG_OF_WEBHOOKS.fullmatch(key)} == set()
    assert traces.of(f"token={word}") <= traces.of(word)
    assert not left & traces.everlasting()
    assert client.get(f"/v1/jobs/{word}").status_code == 410
    replayed = client.post("/v1/jobs", json=asked, headers={"Idempotency-Key": word})
    assert replayed.status_code == 410


def test_a_job_is_deleted_while_it_runs(
    client: httpx.Client, start_worker: StartWorker, traces: Traces
) -> None:
    start_worker(JOBS_PER_WORKER="1")
    word = secrets.token_hex(8)
    script = json.dumps({"say": " ".join([word] * 100), "seconds": 5}).encode()
    job = client.post("/v1/jobs", files={"file": ("a.wav", script)}).json()
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as events:
        assert any(word in line for line in events.iter_lines())

    client.delete(f"/v1/jobs/{job['id']}").raise_for_status()
    # The same worker's next job: by then it has let go of the first one.
    after = client.post("/v1/jobs", files={"file": ("b.wav", b"{}")}).json()
    finished(client, after)

    assert traces.of(word) == set()
    assert traces.of(job["id"]) == {f"whisperline:purged:{job['id']}", SWEEPING}


def test_jobs_are_deleted_while_they_are_stored(
    client: httpx.Client, start_worker: StartWorker, traces: Traces, files: JobFiles
) -> None:
    start_worker(JOBS_PER_WORKER="1")
    word = secrets.token_hex(8)
    ids = []
    for _ in range(6):
        script = json.dumps({"say": word}).encode()
        job = client.post("/v1/jobs", files={"file": ("a.wav", script)}).json()
        ids.append(job["id"])
        # From the first rendering on, the deletion comes between any two steps of the worker.
        SecondApi.wait_until(lambda job_id=job["id"]: has_transcript(files, job_id))  # type: ignore[misc]
        client.delete(f"/v1/jobs/{job['id']}").raise_for_status()
    after = client.post("/v1/jobs", files={"file": ("b.wav", b"{}")}).json()
    finished(client, after)

    assert traces.of(word) == set()
    assert traces.of(*ids) == {SWEEPING, *(f"whisperline:purged:{job_id}" for job_id in ids)}


def has_transcript(files: JobFiles, job_id: str) -> bool:
    listed = files._s3.list_objects_v2(Bucket=files._bucket, Prefix=f"jobs/{job_id}/")
    return any("transcript" in each["Key"] for each in listed.get("Contents", []))


def test_what_a_worker_stores_before_it_dies_is_deleted_some_minutes_later(
    client: httpx.Client,
    keeper: Retention,
    traces: Traces,
    store: JobStore,
    files: JobFiles,
    valkey: "redis.Redis",
) -> None:
    job = client.post("/v1/jobs", files={"file": ("a.wav", b"{}")}).json()
    client.delete(f"/v1/jobs/{job['id']}").raise_for_status()
    # A worker that was not told yet, and is killed before it looks.
    late = {"suffix": ".txt", "content": b"said", "media_type": "text/plain"}
    files.put_transcript(job["id"], "0123", **late)  # type: ignore[arg-type]
    Heard(valkey).add(job["id"], HeardSegment(attempt=1, start=0, end=1, text="said"))

    keeper.sweep()
    too_early = has_transcript(files, job["id"])
    due = valkey.zscore(SWEEPING, job["id"])
    later(valkey)
    keeper.sweep()

    assert too_early
    assert isinstance(due, float)
    assert abs(due - store.now() - SWEEP_AFTER_SECONDS) < 60
    assert traces.of(job["id"]) == {f"whisperline:purged:{job['id']}"}


def test_the_message_of_a_deleted_job_goes_though_no_worker_takes_it(
    client: httpx.Client, keeper: Retention, traces: Traces, valkey: "redis.Redis"
) -> None:
    job = client.post("/v1/jobs", files={"file": ("a.wav", b"{}")}).json()
    other = client.post("/v1/jobs", files={"file": ("a.wav", b"{}")}).json()
    client.delete(f"/v1/jobs/{job['id']}").raise_for_status()
    waiting = valkey.llen("normal")

    later(valkey)
    keeper.sweep()

    assert waiting == 2
    assert [other["id"] in str(message) for message in valkey.lrange("normal", 0, -1)] == [True]
    assert traces.of(job["id"]) == {f"whisperline:purged:{job['id']}"}


def test_a_queued_job_that_is_deleted_is_passed_over(
    client: httpx.Client, start_worker: StartWorker, traces: Traces
) -> None:
    jobs = [client.post("/v1/jobs", files={"file": ("a.wav", b"{}")}).json() for _ in range(5)]
    client.delete(f"/v1/jobs/{jobs[0]['id']}").raise_for_status()  # its message is in the queue
    client.delete(f"/v1/jobs/{jobs[4]['id']}").raise_for_status()  # it waits in its lane
    start_worker()

    assert [finished(client, job)["status"] for job in jobs[1:4]] == ["succeeded"] * 3
    gone = [jobs[0]["id"], jobs[4]["id"]]
    assert traces.of(*gone) == {SWEEPING, *(f"whisperline:purged:{job_id}" for job_id in gone)}


def test_a_job_is_deleted_once(client: httpx.Client, keeper: Retention) -> None:
    path = f"/v1/jobs/{client.post('/v1/jobs', files={'file': ('a.wav', b'{}')}).json()['id']}"

    answers = [client.delete(path).status_code for _ in range(2)]
    keeper.make_round()

    assert answers == [204, 410]
    for answer in (client.get(path), client.post(f"{path}/retry"), client.get(f"{path}/media")):
        assert (answer.status_code, answer.json()["code"]) == (410, "job_purged")


def test_an_upload_that_was_given_back_is_not_swept_away(
    client: httpx.Client, keeper: Retention, valkey: "redis.Redis"
) -> None:
    with httpx.Client() as storage:
        upload = upload_sent(client, storage)
    valkey.zadd(SWEEPING, {upload: 0})  # of a job that found no room in its queue

    keeper.sweep()

    assert client.get(f"/v1/uploads/{upload}").json()["state"] == "complete"
    assert valkey.zcard(SWEEPING) == 0
