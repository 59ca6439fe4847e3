"""After Redis lost everything, all jobs are as they were, and each ends once."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import redis

from deploy.local.processes import Process, wait_until
from jobs.figures import Figures
from jobs.files import JobFiles
from jobs.job import Job
from jobs.ledger import settle
from jobs.settings import StoreSettings
from jobs.store import REBUILT, JobStore
from tests.integration.conftest import Submit
from tests.integration.emptied_redis import empty_bucket, housekeeping, rebuilding
from tests.jobs_made import a_job

Ended = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _nothing_of_other_tests(valkey: "redis.Redis", settings: StoreSettings) -> None:
    empty_bucket(settings)


def look(api: httpx.Client, job: dict[str, Any]) -> httpx.Response:
    return api.get(f"/v1/jobs/{job['id']}")


def shown(api: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    """Return a job as the API shows it, without how many are before it in Celery's queue."""
    answer: dict[str, Any] = look(api, job).json()
    return {name: value for name, value in answer.items() if name != "queue_position"}


def test_all_jobs_are_as_they_were(
    api: httpx.Client,
    valkey: "redis.Redis",
    settings: StoreSettings,
    submit: Submit,
    ended: Ended,
    start_worker: Callable[..., Process],
) -> None:
    worker = start_worker()
    succeeded, failed = submit({"say": "one"}, tags="a"), submit({"fail": "corrupt"})
    over = [ended(job["id"]) for job in (succeeded, failed)]
    worker.stop()
    canceled, deleted, waiting = (submit({"say": say}) for say in ("two", "three", "four"))
    api.post(f"/v1/jobs/{canceled['id']}/cancel")
    api.delete(f"/v1/jobs/{deleted['id']}")
    jobs = [*over, canceled, waiting]
    before = [shown(api, job) for job in jobs]
    valkey.flushall()

    rebuilt = rebuilding(settings, valkey).reconcile()

    assert rebuilt.is_complete
    assert [shown(api, job) for job in jobs] == before
    assert look(api, deleted).status_code == 404
    tagged = api.get("/v1/jobs", params={"tag": "a"}).json()["data"]
    assert [job["id"] for job in tagged] == [succeeded["id"]]
    assert api.get(f"/v1/jobs/{succeeded['id']}/transcript").json()["text"] == "one"
    with housekeeping(settings):
        start_worker()
        assert ended(waiting["id"])["status"] == "succeeded"


def test_a_job_whose_worker_goes_on_ends_once(
    api: httpx.Client,
    valkey: "redis.Redis",
    settings: StoreSettings,
    submit: Submit,
    ended: Ended,
    start_worker: Callable[..., Process],
) -> None:
    worker = start_worker()
    job = submit({"say": "hello", "seconds": 3})
    wait_until(lambda: look(api, job).json()["status"] == "running", worker, within_seconds=30)
    valkey.flushall()

    with housekeeping(settings):
        wait_until(lambda: bool(valkey.exists(REBUILT)), worker, within_seconds=30)
        found = ended(job["id"])

    assert (found["status"], found["attempt"]) == ("succeeded", 1)
    days = Figures(valkey).usage("anonymous", [datetime.now(UTC).date()])
    assert days[0].succeeded == 1


def test_a_job_that_is_asked_for_is_back_before_all_are(
    api: httpx.Client,
    valkey: "redis.Redis",
    settings: StoreSettings,
    submit: Submit,
) -> None:
    job, unknown = submit({}), a_job()
    before = look(api, job).json()
    valkey.flushall()

    assert look(api, job).json() == before
    asked_too_early = api.get(f"/v1/jobs/{unknown.id}")
    rebuilding(settings, valkey).reconcile()

    assert (asked_too_early.status_code, asked_too_early.headers["Retry-After"]) == (503, "5")
    assert api.get(f"/v1/jobs/{unknown.id}").status_code == 404


def test_a_deleted_job_is_never_restored(
    api: httpx.Client, valkey: "redis.Redis", settings: StoreSettings, submit: Submit
) -> None:
    job = submit({})
    valkey.flushall()
    assert api.delete(f"/v1/jobs/{job['id']}").status_code == 204
    rebuilding(settings, valkey).reconcile()

    assert look(api, job).status_code == 410
    valkey.flushall()
    rebuilding(settings, valkey).reconcile()
    assert look(api, job).status_code == 404


@pytest.mark.parametrize("is_rebuilt", [False, True])
def test_what_is_sent_twice_makes_one_job_across_a_loss(
    api: httpx.Client, valkey: "redis.Redis", settings: StoreSettings, *, is_rebuilt: bool
) -> None:
    def send(number: int) -> list[httpx.Response]:
        media = {"file": ("call.wav", json.dumps({"say": str(number)}).encode())}
        return [
            api.post("/v1/jobs", files=media, headers={"Idempotency-Key": "k"}),
            api.put("/v1/jobs/mine", files=media),
        ]

    first = send(1)
    valkey.flushall()
    if is_rebuilt:
        rebuilding(settings, valkey).reconcile()

    again, other = send(1), send(2)

    assert [answer.status_code for answer in (*first, *again)] == [202] * 4
    assert [one.json()["id"] for one in first] == [one.json()["id"] for one in again]
    assert [answer.headers["Idempotent-Replayed"] for answer in again] == ["true"] * 2
    assert [answer.status_code for answer in other] == [422, 422]
    assert api.get("/v1/jobs/mine").json()["id"] == first[1].json()["id"]


def test_an_id_of_the_clients_own_is_known_before_all_are_back(
    api: httpx.Client, valkey: "redis.Redis"
) -> None:
    job = api.put("/v1/jobs/mine", files={"file": ("call.wav", b"{}")}).json()
    valkey.flushall()

    assert api.get("/v1/jobs/mine").json()["id"] == job["id"]


def test_who_waits_for_a_lost_job_is_asked_to_come_again(
    api: httpx.Client, valkey: "redis.Redis", submit: Submit
) -> None:
    job = submit({})
    valkey.flushall()

    listed = api.get("/v1/jobs").json()["data"]
    answer = api.get(f"/v1/jobs/{job['id']}", params={"wait": 0.2})

    assert listed == []
    assert answer.status_code == 200


def test_two_housekeepers_and_two_workers_lose_nothing_and_do_nothing_twice(
    api: httpx.Client,
    valkey: "redis.Redis",
    settings: StoreSettings,
    store: JobStore,
    files: JobFiles,
    start_worker: Callable[..., Process],
) -> None:
    ids = []
    for number in range(220):
        job = a_job(owner=f"owner-{number % 7}")
        files._s3.put_object(
            Bucket=settings.s3_bucket, Key=f"jobs/{job.id}/media", Body=b'{"say": "hello"}'
        )
        files.write_ledger(job)
        store.add(job)
        ids.append(job.id)
    for job_id in ids[:20]:
        settle(store, files, store.update(job_id, Job.canceled))
    start_worker(JOBS_PER_WORKER="8")
    valkey.flushall()

    with housekeeping(settings, count=2):
        worker = start_worker(JOBS_PER_WORKER="8")
        wait_until(
            lambda: sum(job.status.is_final for job in store.get_many(ids)) == len(ids),
            worker,
            within_seconds=120,
        )

    jobs = store.get_many(ids)
    assert [job.status for job in jobs[:20]] == ["canceled"] * 20
    assert [(job.status, job.attempt) for job in jobs[20:]] == [("succeeded", 1)] * 200
    today = [datetime.now(UTC).date() - timedelta(days=days) for days in (0, 1)]
    used = [day for n in range(7) for day in Figures(valkey).usage(f"owner-{n}", today)]
    assert sum(day.succeeded for day in used) == 200, "each ended once"
    for job in jobs:
        files.purge(job)
