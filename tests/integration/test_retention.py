"""Media goes before its job, jobs go in time, and what runs again is left alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import redis

from deploy.local.processes import Process
from jobs import s3_client as s3
from jobs.attempt import Failure, Outcome, new_lease
from jobs.batch_work import batch_work
from jobs.expiring import Expiring
from jobs.files import JobFiles, upload_key
from jobs.indexes import EXPIRING_MEDIA
from jobs.job import Job
from jobs.leases import Leases
from jobs.request_errors import JobPurged
from jobs.settings import StoreSettings
from jobs.store import JobStore
from tests.integration.batches_sent import VARIABLES, Archive, item
from tests.integration.second_api import SecondApi
from tests.integration.test_uploads import sent
from tests.jobs_made import a_job
from worker.retention import Retention, retention

StartWorker = Callable[..., Process]
Submit = Callable[..., dict[str, Any]]
Ended = Callable[..., dict[str, Any]]

PAST = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def keeper(valkey: "redis.Redis", store: JobStore, settings: StoreSettings) -> Retention:
    """The part of the housekeeper that deletes, in this process."""
    storage, bucket = s3.connect(settings), settings.s3_bucket
    return retention(valkey, store, storage, bucket, batch_work(valkey, store, storage, bucket))


def kept(files: JobFiles, job_id: str) -> set[str]:
    """Return the names of a job's files."""
    found = files._s3.list_objects_v2(Bucket=files._bucket, Prefix=f"jobs/{job_id}/")
    return {each["Key"].rpartition("/")[2] for each in found.get("Contents", [])}


def make_due(store: JobStore, job_id: str) -> None:
    """Let the time of a job's media be over."""
    store.update(job_id, lambda job: job.model_copy(update={"media_expires_at": PAST}))


def test_media_may_go_when_its_job_is_done_and_the_transcript_stays(
    api: httpx.Client,
    submit: Submit,
    ended: Ended,
    start_worker: StartWorker,
    keeper: Retention,
    files: JobFiles,
) -> None:
    start_worker()
    done = ended(submit({"say": "hello"}, media_retention_days="0")["id"])
    path = f"/v1/jobs/{done['id']}"
    before = api.get(f"{path}/media")

    keeper.make_round()
    job, media = api.get(path).json(), api.get(f"{path}/media")

    assert done["media_expires_at"] == done["finished_at"]
    assert (before.status_code, done["media"]["purged_at"]) == (200, None)
    assert (media.status_code, media.json()["code"]) == (410, "media_purged")
    assert job["media"]["purged_at"][:19] in media.json()["detail"]
    assert "media" in done["links"]
    assert "media" not in job["links"]
    assert api.get(f"{path}/transcript?format=txt").text.strip().endswith("hello")
    assert "transcript.json" in kept(files, done["id"])
    assert "media" not in kept(files, done["id"])
    entry = files.read_ledger(done["id"])
    assert entry is not None
    assert not entry.job.is_media_kept  # also for who knows nothing but the ledger


def test_media_that_a_client_sent_by_itself_goes_too(
    api: httpx.Client, ended: Ended, start_worker: StartWorker, keeper: Retention, files: JobFiles
) -> None:
    start_worker()
    with httpx.Client() as storage:
        upload_id = sent(api, storage)
    asked = {"source": {"upload_id": upload_id}, "media_retention_days": 0}
    job_id = ended(api.post("/v1/jobs", json=asked).json()["id"])["id"]

    keeper.purge_media()

    assert api.get(f"/v1/jobs/{job_id}/media").status_code == 410
    with pytest.raises(files._s3.exceptions.ClientError):
        files._s3.head_object(Bucket=files._bucket, Key=upload_key(upload_id))


def test_media_of_a_failed_job_is_there_for_a_retry_until_its_time_is_over(
    api: httpx.Client,
    submit: Submit,
    ended: Ended,
    start_worker: StartWorker,
    keeper: Retention,
    store: JobStore,
    files: JobFiles,
) -> None:
    start_worker()
    job_id = submit({"fail": "corrupt"}, media_retention_days="0")["id"]
    first = ended(job_id)
    keeper.make_round()
    api.post(f"/v1/jobs/{job_id}/retry").raise_for_status()
    second = ended(job_id)
    make_due(store, job_id)

    keeper.make_round()
    refused = api.post(f"/v1/jobs/{job_id}/retry")

    assert first["error"]["code"] == second["error"]["code"] == "corrupt_media"
    ends, expires = (second[name] for name in ("finished_at", "media_expires_at"))
    assert datetime.fromisoformat(expires) - datetime.fromisoformat(ends) == timedelta(days=7)
    assert (refused.status_code, refused.json()["code"]) == (409, "media_not_kept")
    assert "send it again" in refused.json()["detail"]
    assert api.get(f"/v1/jobs/{job_id}").json()["status"] == "failed"
    assert "media" not in kept(files, job_id)


def test_a_retry_fetches_media_again_from_where_it_came(
    start_second_api: Callable[..., SecondApi],
    settings: StoreSettings,
    start_worker: StartWorker,
    keeper: Retention,
    store: JobStore,
    files: JobFiles,
) -> None:
    start_worker()
    Archive(settings).put(broken={"fail": "corrupt"})
    with httpx.Client(base_url=start_second_api(**VARIABLES).url, timeout=60) as client:
        job_id = client.post("/v1/jobs", json=item("broken")).json()["id"]
        path, wait = f"/v1/jobs/{job_id}", {"wait": 30}
        assert client.get(path, params=wait).json()["status"] == "failed"
        make_due(store, job_id)
        keeper.purge_media()
        gone = kept(files, job_id)

        client.post(f"{path}/retry").raise_for_status()
        again = client.get(path, params=wait).json()

        assert "media" not in gone
        assert again["error"]["code"] == "corrupt_media"  # read, not missed
        assert again["media"]["purged_at"] is None
        assert client.get(f"{path}/media").json() == {"fail": "corrupt"}


def a_failed_job(store: JobStore, files: JobFiles) -> Job:
    job = a_job()
    files._put(f"jobs/{job.id}/media", b"{}", "audio/wav")
    files.write_ledger(job)
    store.add(job)
    return store.update(job.id, lambda job: job.failed(Failure(code="internal", message="")))


def test_who_dies_before_media_is_deleted_is_followed_by_another(
    store: JobStore, files: JobFiles, keeper: Retention, valkey: "redis.Redis"
) -> None:
    job = a_failed_job(store, files)
    make_due(store, job.id)
    store.update(job.id, lambda job: job.media_purged(datetime.now(UTC)))

    keeper.purge_media()

    assert kept(files, job.id) == {"job.json"}
    assert valkey.zcard(EXPIRING_MEDIA) == 0


def test_a_job_that_runs_again_keeps_its_media_and_itself(
    store: JobStore, files: JobFiles, keeper: Retention
) -> None:
    job = a_failed_job(store, files)
    make_due(store, job.id)
    store.update(job.id, lambda job: job.model_copy(update={"expires_at": PAST}))
    # As if the lists had been read a moment before the retry.
    expiring = Expiring(store._redis)
    media, jobs = expiring.media(), expiring.jobs()
    store.update(job.id, Job.retried)
    store._redis.zadd(EXPIRING_MEDIA, dict.fromkeys(media, 0))
    store._redis.zadd("whisperline:expiring", dict.fromkeys(jobs, 0))

    keeper.make_round()

    assert media == jobs == [job.id]
    assert store.get(job.id).is_media_kept
    assert kept(files, job.id) == {"job.json", "media"}


def test_a_job_expires_with_all_its_files(
    store: JobStore, files: JobFiles, keeper: Retention
) -> None:
    job = a_failed_job(store, files)
    store.update(job.id, lambda job: job.model_copy(update={"expires_at": PAST}))

    keeper.make_round()

    assert kept(files, job.id) == set()
    with pytest.raises(JobPurged):
        store.get(job.id)


def test_the_service_says_how_long_media_is_kept_unless_the_job_does(
    valkey: "redis.Redis",
) -> None:
    store = JobStore(valkey, retention_days=9, media_retention_days=2)
    job = a_job()
    store.add(job)
    lease = new_lease("w")
    Leases(valkey, store).claim(job.id, lease)
    outcome = Outcome(language=None, language_confidence=None, warnings=(), stages=())

    done = store.update(job.id, lambda job: job.succeeded(lease.token, outcome))

    assert done.finished_at is not None
    assert done.media_expires_at == done.finished_at + timedelta(days=2)
    (due,) = valkey.zrange(EXPIRING_MEDIA, 0, -1, withscores=True)
    assert due == (job.id, done.media_expires_at.timestamp())


@pytest.mark.parametrize("value", ["-1", "3651", "soon"])
def test_an_odd_retention_is_refused_before_anything_is_stored(
    api: httpx.Client, value: str
) -> None:
    answer = api.post(
        "/v1/jobs", data={"media_retention_days": value}, files={"file": ("a.wav", b"{}")}
    )

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (
        422,
        "/media_retention_days",
    )


def test_every_job_of_a_batch_may_let_its_media_go(
    start_second_api: Callable[..., SecondApi], settings: StoreSettings
) -> None:
    Archive(settings).put(one={}, two={})
    items = [item("one"), item("two") | {"media_retention_days": 3}]
    with httpx.Client(base_url=start_second_api(**VARIABLES).url) as client:
        asked = {"items": items, "options": {"media_retention_days": 0}}
        batch = client.post("/v1/batches", json=asked).json()
        jobs = client.get("/v1/jobs", params={"batch_id": batch["id"]}).json()["data"]

    days = {job["options"]["external_id"]: job["options"]["media_retention_days"] for job in jobs}
    assert days == {"one": 0, "two": 3}
