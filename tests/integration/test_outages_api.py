"""While Redis or storage is away the API says so in time on every route, and recovers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from jobs import redis_client
from jobs.attempt import Failure, Outcome, new_lease
from jobs.files import JobFiles
from jobs.job import Job
from jobs.leases import Leases
from jobs.settings import StoreSettings
from jobs.store import REBUILT, JobStore
from tests.integration.outages import (
    ANSWER_SECONDS,
    KINDS,
    Told,
    Ways,
    all_at_once,
    ask,
    works_again,
)
from tests.integration.second_api import SecondApi
from tests.jobs_made import a_job
from transcript.transcript import Transcript

KB, MB = b"x" * 1024, b"x" * 1024**2
HOOK = {"url": "http://127.0.0.1:9/hook", "events": ["job.succeeded"]}
URL_JOB = {"source": {"url": "http://127.0.0.1:9/talk.wav"}}

# Of each route: what it answers without Redis, and without storage.
NEITHER, BOTH_WAYS = (503, 503), (503, None)  # None: as ever


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request of the table."""

    method: str
    path: str
    without: tuple[int | None, int | None]
    options: Mapping[str, Any]


def asked(
    method: str, path: str, without: tuple[int | None, int | None] = NEITHER, **options: Any
) -> Asked:
    return Asked(method=method, path=path, without=without, options=options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What there is before the outage."""

    ids: Mapping[str, str]

    def table(self) -> dict[str, Asked]:
        """Return every route that needs a store, with what it answers in an outage."""
        of = self.ids
        done, queued, failed = of["done"], of["queued"], of["failed"]
        kb, mb = {"file": ("a.wav", KB)}, {"file": ("a.wav", MB)}
        drop_in = {"audio_file": ("a.wav", KB)}
        begun = {"filename": "a.wav", "bytes": 40 * 1024**2}
        return {
            "submit 1 KB": asked("POST", "/v1/jobs", files=kb),
            "submit 1 MB": asked("POST", "/v1/jobs", files=mb),
            "submit a URL": asked("POST", "/v1/jobs", json=URL_JOB),
            "submit with a key": asked(
                "POST", "/v1/jobs", files=kb, headers={"Idempotency-Key": "k"}
            ),
            "submit named": asked("PUT", "/v1/jobs/mine", files=kb),
            "submit and wait": asked("POST", "/v1/jobs", files=kb, headers={"Prefer": "wait=30"}),
            "read": asked("GET", f"/v1/jobs/{queued}", BOTH_WAYS),
            "long poll": asked("GET", f"/v1/jobs/{done}?wait=30", BOTH_WAYS),
            "list": asked("GET", "/v1/jobs", BOTH_WAYS),
            "transcript": asked("GET", f"/v1/jobs/{done}/transcript"),
            "subtitles": asked("GET", f"/v1/jobs/{done}/transcript?format=srt"),
            "media": asked("GET", f"/v1/jobs/{queued}/media"),
            "events": asked("GET", f"/v1/jobs/{done}/events", BOTH_WAYS),
            "deliveries of a job": asked("GET", f"/v1/jobs/{done}/deliveries", BOTH_WAYS),
            "cancel": asked("POST", f"/v1/jobs/{queued}/cancel", BOTH_WAYS),
            "retry": asked("POST", f"/v1/jobs/{failed}/retry", BOTH_WAYS),
            "delete": asked("DELETE", f"/v1/jobs/{of['unwanted']}"),
            "begin an upload": asked("POST", "/v1/uploads", json=begun),
            "read an upload": asked("GET", f"/v1/uploads/{of['upload']}"),
            "complete an upload": asked("POST", f"/v1/uploads/{of['upload']}/complete"),
            "delete an upload": asked("DELETE", f"/v1/uploads/{of['other upload']}"),
            "submit a batch": asked("POST", "/v1/batches", json={"items": [URL_JOB, URL_JOB]}),
            "read a batch": asked("GET", f"/v1/batches/{of['batch']}", BOTH_WAYS),
            "list batches": asked("GET", "/v1/batches", BOTH_WAYS),
            "results": asked("GET", f"/v1/batches/{of['batch']}/results"),
            "add an endpoint": asked("POST", "/v1/webhooks", json=HOOK),
            "list endpoints": asked("GET", "/v1/webhooks", BOTH_WAYS),
            "secret": asked("GET", "/v1/webhooks/secret", BOTH_WAYS),
            "rotate": asked("POST", "/v1/webhooks/rotate-secret"),
            "deliveries": asked("GET", f"/v1/webhooks/{of['hook']}/deliveries", BOTH_WAYS),
            "queue": asked("GET", "/v1/queue", BOTH_WAYS),
            "workers": asked("GET", "/v1/workers", BOTH_WAYS),
            "usage": asked("GET", "/v1/usage", BOTH_WAYS),
            "queue metrics": asked("GET", "/queue-metrics", BOTH_WAYS),
            "ready": asked("GET", "/ready"),
            "health": asked("GET", "/health", (200, 200)),
            "asr": asked("POST", "/asr", files=drop_in),
            "detect": asked("POST", "/detect-language", files=drop_in),
            "openai": asked(
                "POST", "/v1/audio/transcriptions", files=kb, data={"model": "whisper-1"}
            ),
            "openai stream": asked(
                "POST",
                "/v1/audio/transcriptions",
                files=kb,
                data={"model": "whisper-1", "stream": "true"},
            ),
        }


@pytest.fixture(scope="module")
def ways(settings: StoreSettings) -> Iterator[Ways]:
    found = Ways(settings)
    yield found
    found.close()


@pytest.fixture(scope="module")
def service(ways: Ways, start_second_api: Callable[..., SecondApi]) -> SecondApi:
    return start_second_api(**ways.variables, ALLOW_PRIVATE_ADDRESSES="true")


@pytest.fixture
def api(service: SecondApi, ways: Ways) -> Iterator[httpx.Client]:
    limits = httpx.Limits(max_connections=200)
    with httpx.Client(base_url=service.url, timeout=60, limits=limits) as client:
        ways.recover()
        works_again(lambda: client.get("/ready").status_code)
        yield client
        ways.recover()


@pytest.fixture
def made(api: httpx.Client, settings: StoreSettings, files: JobFiles) -> Made:
    client = redis_client.connect(settings.redis_url.get_secret_value())
    client.flushall()
    client.set(REBUILT, "now")
    store = JobStore(client)
    leases = Leases(client, store)
    ids = {"done": a_done_job(store, leases, files).id, "failed": a_failed(store).id}
    ids["unwanted"] = a_done_job(store, leases, files).id
    client.close()
    for name, path, body in (
        ("upload", "/v1/uploads", {"filename": "a.wav", "bytes": 40 * 1024**2}),
        ("other upload", "/v1/uploads", {"filename": "a.wav", "bytes": 40 * 1024**2}),
        ("batch", "/v1/batches", {"items": [URL_JOB]}),
        ("hook", "/v1/webhooks", HOOK),
    ):
        ids[name] = api.post(path, json=body).raise_for_status().json()["id"]
    ids["queued"] = api.post("/v1/jobs", files={"file": ("a.wav", MB)}).json()["id"]
    api.get("/v1/webhooks/secret").raise_for_status()
    return Made(ids=ids)


def a_done_job(store: JobStore, leases: Leases, files: JobFiles) -> Job:
    job = a_job()
    store.add(job)
    lease = new_lease("w")
    leases.claim(job.id, lease)
    said = Transcript(text="hello", language="en", duration=1.0, segments=())
    files.put_transcript(
        job.id,
        lease.token,
        suffix=".json",
        content=said.model_dump_json().encode(),
        media_type="application/json",
    )
    outcome = Outcome.of(said, stages=())
    return store.update(job.id, lambda job: job.succeeded(lease.token, outcome))


def a_failed(store: JobStore) -> Job:
    job = a_job()
    store.add(job)
    return store.update(job.id, lambda job: job.failed(Failure(code="internal", message="?")))


def expected(asked: Asked, kind: str) -> int | None:
    return asked.without[0 if kind.startswith("redis") else 1]


def must_be_right(told: Told, wanted: int | None) -> None:
    assert told.seconds < ANSWER_SECONDS, told
    if wanted is None:
        assert told.status < 400, told
        return
    assert told.status == wanted, told
    if wanted == 503:
        assert int(told.headers["retry-after"]) >= 1
        must_have_its_shape(told)


def must_have_its_shape(told: Told) -> None:
    if told.name == "ready":
        assert told.body["status"] == "not ready"
    elif told.name in ("asr", "detect", "queue metrics"):
        assert set(told.body) == {"detail"}
    elif told.name.startswith("openai"):
        assert told.body["error"]["type"] == "server_error"
    else:
        assert told.body["code"].endswith("_unavailable"), told


@pytest.mark.parametrize("kind", KINDS)
def test_every_route_answers_in_time_all_at_once_and_works_again(
    api: httpx.Client, ways: Ways, made: Made, service: SecondApi, kind: str
) -> None:
    table = made.table()
    calls = {
        name: lambda name=name, one=one: ask(api, name, one.method, one.path, **one.options)
        for name, one in table.items()
    }
    ways.lose(kind)

    told = all_at_once(calls)
    calls.pop("delete an upload")  # it is withdrawn by now; the housekeeper does the rest
    later = all_at_once({name: call for name, call in calls.items() if expected(table[name], kind)})

    ways.recover()
    for name, one in told.items():
        must_be_right(one, expected(table[name], kind))
    for name, one in later.items():
        must_be_right(one, expected(table[name], kind))
    works_again(lambda: api.post("/v1/jobs", files={"file": ("a.wav", KB)}).status_code)
    works_again(lambda: api.get(f"/v1/jobs/{made.ids['done']}/transcript").status_code)
    assert "Traceback" not in service.process.log.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_one_request_after_the_other_answers_in_time(
    api: httpx.Client, ways: Ways, made: Made, kind: str
) -> None:
    table = made.table()
    ways.lose(kind)

    for name in ("submit 1 MB", "submit named", "asr", "begin an upload", "ready", "health"):
        one = table[name]
        told = ask(api, name, one.method, one.path, **one.options)
        must_be_right(told, expected(one, kind))


def test_forty_that_submit_at_once_to_few_threads_all_know_in_time(
    ways: Ways, start_second_api: Callable[..., SecondApi]
) -> None:
    few = start_second_api(**ways.variables, API_PROCESSES="1", API_THREADS="64")
    with httpx.Client(base_url=few.url, timeout=60) as api:
        works_again(lambda: api.get("/ready").status_code)
        ways.lose("redis silent")
        calls = {
            str(number): lambda number=number: ask(
                api, str(number), "POST", "/v1/jobs", files={"file": ("a.wav", KB)}
            )
            for number in range(40)
        }

        for _ in range(3):
            for told in all_at_once(calls).values():
                must_be_right(told, 503)
    ways.recover()
