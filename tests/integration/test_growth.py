"""However much goes through a service, Redis and object storage do not grow for ever."""

import itertools
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest
import redis

from deploy.local.processes import Process
from jobs import s3_client as s3
from jobs.batch_work import batch_work
from jobs.indexes import EXPIRING, LEASES
from jobs.settings import StoreSettings
from jobs.store import REBUILT, JobStore
from jobs.sweeping import SWEEPING
from tests.integration.asr_requests import asr
from tests.integration.batches_sent import VARIABLES, Archive, item, over, sent
from tests.integration.post_office import PostOffice
from tests.integration.second_api import SecondApi
from tests.integration.test_uploads import begun
from tests.integration.traces import Traces
from tests.integration.webhook_receiver import Receiver
from worker.housekeeper import Housekeeper
from worker.retention import Retention, retention

pytestmark = pytest.mark.slow

StartWorker = Callable[..., Process]

# What no time ends, and what ends it instead.
ENDLESS = {
    # One for all, whatever happens.
    "whisperline:pace": "fixed: sums",
    "whisperline:queued_bytes:<queue>": "fixed: a sum",
    "whisperline:queued_unsized:<queue>": "fixed: a sum",
    "whisperline:webhook_counts": "fixed: sums",
    "whisperline:rebuilt": "fixed: a time",
    "whisperline:outbox_dropped": "fixed: a sum",
    # With the jobs that are kept: not there, or empty and so not there, without any.
    "whisperline:job:<id>": "deleted or expired",
    "whisperline:owner:<owner>": "its members are jobs",
    "whisperline:index:<owner>:<field>": "its members are jobs",
    "whisperline:queued:<queue>": "its members are jobs that wait",
    "whisperline:lanes:<queue>": "its members are owners of jobs that wait",
    "whisperline:ready:<queue>:<lane>": "its members are jobs that wait",
    "whisperline:sent:<queue>:<lane>": "its members are jobs that wait",
    "whisperline:leases": "its members are jobs that run",
    "whisperline:expiring": "its members are jobs",
    "whisperline:expiring_media": "its members are jobs",
    "whisperline:ledger_due": "its members are jobs that just ended",
    "whisperline:sweeping": "five minutes after a deletion",
    "whisperline:name:<owner>:id:<sha>": "30 days after its job",
    "whisperline:batch:<id>": "with the last of its jobs",
    "whisperline:batches:<owner>": "its members are batches",
    "whisperline:batch_counts:<id>": "with its batch",
    "whisperline:batches_open": "its members are batches",
    # What a client sends by itself: a day, if no job takes it.
    "whisperline:uploads": "its members expire in a day",
    "whisperline:uploads_used": "its members are media of jobs",
    # Webhooks: 24 hours and their log of 7 days; 20 endpoints of an owner.
    "whisperline:outbox": "the courier takes what is in it, 200,000 at most",
    "whisperline:delivery:<id>": "while it is pending; then 7 days",
    "whisperline:deliveries_pending:<id>": "its members are pending",
    "whisperline:webhooks:<owner>": "20 endpoints of an owner",
    "whisperline:webhook_secret:<owner>": "fixed: one of an owner",
    # Celery's broker.
    "_kombu.binding.<exchange>": "names of queues, 1,000 of programs that were killed",
    "_kombu.binding_permanent.normal": "fixed: names of queues",
    "_kombu.binding_deadlines": "fixed: three exchanges",
    "unacked": "what killed workers held, for 12 hours",
    "unacked_index": "what killed workers held, for 12 hours",
    "<queue>": "messages, two of an owner",
}


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


_ALIKE = (
    (r"(job|bat|upl|whk|dlv|evt)_\w+", "<id>"),
    (r"[0-9a-f]{64}", "<sha>"),
    (r"(?<=usage:anonymous:)[\d-]+", "<day>"),
    (r"(?<=index:anonymous:).*", "<field>"),
    (r":(queued\w*|lanes|ready|sent):(interactive|normal|batch|webhooks)", r":\1:<queue>"),
    (r"(ready|sent):<queue>:.*", r"\1:<queue>:<lane>"),
    (r"^(interactive|normal|batch|webhooks)$", "<queue>"),
    (r"(?<=_kombu.binding\.).*", "<exchange>"),
    (r"(?<=:)anonymous", "<owner>"),
)


def alike(key: str) -> str:
    """Return a key with placeholders for what differs between two of its kind."""
    for pattern, shown in _ALIKE:
        key = re.sub(pattern, shown, key)
    return key


def send(client: httpx.Client, number: int) -> str:
    script = json.dumps({"say": f"number {number}", "seconds": 0.02}).encode()
    files = {"file": (f"{number}.wav", script)}
    data = {"retention_days": "1", "tags": f"t{number % 7}", "external_id": str(number)}
    answer = client.post("/v1/jobs", data=data, files=files)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def wait_for_all(client: httpx.Client, ids: list[str], *, within_seconds: float = 60) -> None:
    deadline = time.monotonic() + within_seconds
    for job_id in ids:
        job = client.get(f"/v1/jobs/{job_id}", params={"wait": 30}).json()
        assert job["status"] == "succeeded", job
        assert time.monotonic() < deadline


def let_die_in_the_middle(
    client: httpx.Client, worker: Process, valkey: "redis.Redis", housekeeper: Housekeeper
) -> str:
    """Kill a worker that has a job; the job waits for the next one."""
    script = json.dumps({"say": "long", "seconds": 3}).encode()
    data = {"retention_days": "1"}
    job = client.post("/v1/jobs", data=data, files={"file": ("a.wav", script)}).json()
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as events:
        assert any("segment" in line for line in events.iter_lines())
    worker.kill()
    valkey.zadd(LEASES, {job["id"]: 0}, xx=True)
    housekeeper.make_round()
    return str(job["id"])


def test_after_hundreds_of_jobs_nothing_is_there_that_was_not_there_before(
    client: httpx.Client,
    start_worker: StartWorker,
    housekeeper: Housekeeper,
    keeper: Retention,
    traces: Traces,
    valkey: "redis.Redis",
) -> None:
    before = set(traces.objects())
    ids: list[str] = []
    sizes: list[Counter[str]] = []
    for lap in range(3):
        first, second = start_worker(JOBS_PER_WORKER="8"), start_worker(JOBS_PER_WORKER="8")
        with ThreadPoolExecutor(8) as threads:
            fresh = list(threads.map(partial(send, client), range(100 * lap, 100 * (lap + 1))))
        wait_for_all(client, [*ids[-1:], *fresh])
        first.stop()
        ids += [*fresh, let_die_in_the_middle(client, second, valkey, housekeeper)]
        sizes.append(sizes_of(traces, valkey))
    start_worker()
    wait_for_all(client, ids[-1:])

    for job_id in ids[::2]:
        client.delete(f"/v1/jobs/{job_id}").raise_for_status()
    for job_id in ids[1::2]:
        valkey.zadd(EXPIRING, {job_id: 0}, xx=True)
    keeper.make_round()
    valkey.zadd(SWEEPING, dict.fromkeys(ids, 0))
    keeper.make_round()
    housekeeper.make_round()
    left = {key for key in traces.everlasting() if ENDLESS[alike(key)].startswith("its members")}

    assert len(ids) == 303
    assert set(traces.objects()) - before == set()
    assert left == set()
    # What a worker that was killed held and said last: for 12 hours, and for 30 seconds.
    named = {re.sub(r"(purged|worker):.*", r"\1", key) for key in traces.of(*ids)}
    assert named <= {"whisperline:purged", "whisperline:worker", "unacked", "unacked_index"}
    # Each worker that was killed leaves its name, and at most the message that it held.
    for earlier, after in itertools.pairwise(sizes):
        grown = {key: n for key, n in (after - earlier).items() if "whisperline:" not in key}
        assert grown.keys() <= {"_kombu.binding.<exchange>", "unacked", "unacked_index", "<queue>"}
        assert set(grown.values()) == {1}


def sizes_of(traces: Traces, valkey: "redis.Redis") -> Counter[str]:
    """Return how many members the keys of each kind have that no time ends."""
    count: dict[str, Callable[[str], Any]] = {
        "set": valkey.scard,
        "zset": valkey.zcard,
        "list": valkey.llen,
        "hash": valkey.hlen,
    }
    sizes: Counter[str] = Counter()
    for key in traces.everlasting():
        kind = str(valkey.type(key))
        sizes[alike(key)] += int(count[kind](key)) if kind in count else 1
    return sizes


def test_everything_in_redis_has_an_end_in_time_or_one_that_is_known(
    client: httpx.Client,
    start_worker: StartWorker,
    office: PostOffice,
    receiver: Receiver,
    traces: Traces,
    settings: StoreSettings,
    valkey: "redis.Redis",
) -> None:
    webhook = {"url": receiver.url, "events": ["job.succeeded"]}
    asked = {"url": f"{receiver.url}/all", "events": ["job.succeeded", "job.started"]}
    client.post("/v1/webhooks", json=asked).raise_for_status()
    client.put("/v1/jobs/mine", files={"file": ("a.wav", b"{}")}).raise_for_status()
    for number in range(5):
        send(client, number)
    begun(client)
    Archive(settings).put(one={"say": "a"}, two={"say": "b"})
    batch = sent(client, [item("one"), item("two") | {"webhook": webhook}])
    waiting = {alike(key) for key in traces.everlasting()}
    start_worker()
    over(client, batch)
    asr(str(client.base_url).rstrip("/"))
    key = {"Idempotency-Key": "once"}
    client.post("/v1/jobs", headers=key, files={"file": ("a.wav", b"{}")}).raise_for_status()
    running = {alike(key) for key in traces.everlasting()}
    office.clock.seconds = time.time() + 1
    office.work()

    told = {alike(key) for key in traces.everlasting()}
    kinds = set(map(alike, traces.keys()))
    assert (waiting | running | told) - ENDLESS.keys() == set()
    ending = {kind for kind in kinds - told if kind.startswith("whisperline:")}
    assert ending >= {
        "whisperline:heard:<id>",
        "whisperline:name:<owner>:key:<sha>",
        "whisperline:usage:<owner>:<day>",
        "whisperline:upload:<id>",
    }
