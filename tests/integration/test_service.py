"""The API and real Celery workers together; only the pipeline is a stand-in."""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest
import redis

from deploy.local.processes import Process
from jobs import queue as broker
from jobs.dispatch import job_dispatch
from jobs.files import JobFiles
from jobs.indexes import LEASES
from jobs.job import Job
from jobs.options import Priority
from jobs.queue import JobQueue
from jobs.settings import StoreSettings
from jobs.status import JobStatus
from jobs.store import JobStore
from transcript.renderings import rendering_of
from worker.housekeeper import Housekeeper
from worker.performing import STORED

Ended = Callable[..., dict[str, Any]]
StartWorker = Callable[..., Process]
Submit = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


def objects(files: JobFiles, job_id: str) -> list[str]:
    answer = files._s3.list_objects_v2(Bucket=files._bucket, Prefix=f"jobs/{job_id}/")
    return sorted(
        item["Key"].removeprefix(f"jobs/{job_id}/") for item in answer.get("Contents", [])
    )


def test_a_job_goes_through_the_service_and_its_transcript_comes_back(
    api: httpx.Client, start_worker: StartWorker, submit: Submit, ended: Ended
) -> None:
    start_worker()
    submitted = submit({"say": "hello there"}, tags="a,b", metadata='{"n": 1}')

    job = ended(submitted["id"])

    assert job["status"] == "succeeded"
    assert job["progress"] == 1.0
    assert job["options"]["tags"] == ["a", "b"]
    assert job["media"]["seconds"] == 1.0
    assert {stage["name"] for stage in job["stages"]} >= {"fetch", "transcribe", "store"}
    assert job["usage"]["audio_seconds"] == 1.0
    link = job["links"]["transcript"]
    assert api.get(link).json()["text"] == "hello there"
    srt = api.get(link, params={"format": "srt"})
    assert "[SPEAKER_00] hello there" in srt.text
    assert srt.headers["content-type"].startswith("application/x-subrip")


def test_what_is_stored_is_the_media_the_ledger_and_the_common_renderings(
    start_worker: StartWorker, submit: Submit, ended: Ended, files: JobFiles, store: JobStore
) -> None:
    start_worker()
    job_id = submit({})["id"]

    ended(job_id)

    attempt = store.get(job_id).transcript
    renderings = [f"{attempt}/transcript{rendering_of(name).suffix}" for name in STORED]
    deadline = time.monotonic() + 10
    while Job.model_validate_json(_ledger(files, job_id)).status is not JobStatus.SUCCEEDED:
        assert time.monotonic() < deadline
    assert objects(files, job_id) == sorted([*renderings, "job.json", "media"])


def _ledger(files: JobFiles, job_id: str) -> bytes:
    key = f"jobs/{job_id}/job.json"
    return files._s3.get_object(Bucket=files._bucket, Key=key)["Body"].read()


@pytest.mark.parametrize(
    ("script", "code"),
    [({"fail": "corrupt"}, "corrupt_media"), (b"no script", "unsupported_media")],
)
def test_bad_media_fails_with_its_code_once_and_the_next_job_runs(
    start_worker: StartWorker,
    submit: Submit,
    ended: Ended,
    script: dict[str, str] | bytes,
    code: str,
) -> None:
    start_worker()

    failed = ended(submit(script)["id"])

    assert failed["status"] == "failed"
    assert failed["error"]["code"] == code
    assert failed["attempt"] == 1
    assert ended(submit({})["id"])["status"] == "succeeded"


def test_media_with_any_name_gives_a_transcript_to_download(
    api: httpx.Client, start_worker: StartWorker, ended: Ended
) -> None:
    start_worker()
    files = {"file": ("Привет, мир.wav", b"{}")}
    job = ended(api.post("/v1/jobs", files=files).json()["id"])

    answer = api.get(f"/v1/jobs/{job['id']}/transcript", params={"format": "srt"})

    assert answer.status_code == 200
    assert "filename*=UTF-8''%D0%9F" in answer.headers["content-disposition"]


def test_a_bug_is_told_as_internal_without_a_detail(
    start_worker: StartWorker, submit: Submit, ended: Ended
) -> None:
    start_worker()

    failed = ended(submit({"fail": "bug"})["id"])

    assert failed["error"]["code"] == "internal"
    assert "secret detail" not in json.dumps(failed)


def test_a_job_whose_worker_was_killed_is_done_by_the_next_one(
    start_worker: StartWorker,
    submit: Submit,
    ended: Ended,
    valkey: "redis.Redis",
    store: JobStore,
    housekeeper: Housekeeper,
) -> None:
    first = start_worker(JOBS_PER_WORKER="1")
    job_id = submit({"seconds": 20})["id"]
    _wait_for(lambda: store.get(job_id).status is JobStatus.RUNNING)
    first.kill()
    start_worker()
    valkey.zadd(LEASES, {job_id: 1})  # instead of waiting for 30 s

    housekeeper.make_round()
    _wait_for(lambda: store.get(job_id).attempt == 2)

    assert store.get(job_id).status is JobStatus.RUNNING


def test_media_that_kills_its_worker_is_given_up_after_three_attempts(
    start_worker: StartWorker,
    submit: Submit,
    ended: Ended,
    valkey: "redis.Redis",
    store: JobStore,
    housekeeper: Housekeeper,
) -> None:
    job_id = submit({"die": True})["id"]
    for attempt in (1, 2, 3):
        worker = start_worker(JOBS_PER_WORKER="1")
        _wait_for(partial(_is_at, store, job_id, attempt))
        _wait_for(partial(_is_gone, worker))
        valkey.zadd(LEASES, {job_id: 1})
        housekeeper.make_round()

    job = ended(job_id)

    assert job["error"]["code"] == "attempts_exhausted"
    assert "death of its worker" in job["error"]["message"]
    assert job["attempt"] == 3
    assert [each["code"] for each in job["setbacks"]] == ["crashed"] * 3


def test_a_message_that_got_lost_is_sent_again(
    start_worker: StartWorker,
    submit: Submit,
    ended: Ended,
    valkey: "redis.Redis",
    settings: StoreSettings,
) -> None:
    job_id = submit({})["id"]
    valkey.delete(Priority.NORMAL)
    queue = JobQueue(broker.connect(settings), valkey)
    dispatch = job_dispatch(valkey, queue, lost_after_seconds=-1.0)

    dispatch.send_lost(Priority.NORMAL)
    dispatch.send_lost(Priority.NORMAL)

    assert valkey.llen(Priority.NORMAL) == 1
    start_worker()
    assert ended(job_id)["status"] == "succeeded"


def test_deleting_a_running_job_frees_the_worker_and_leaves_nothing(
    api: httpx.Client,
    start_worker: StartWorker,
    submit: Submit,
    ended: Ended,
    files: JobFiles,
    store: JobStore,
) -> None:
    start_worker()
    job_id = submit({"seconds": 30})["id"]
    _wait_for(lambda: store.get(job_id).status is JobStatus.RUNNING)

    assert api.delete(f"/v1/jobs/{job_id}").status_code == 204

    for path in (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/transcript"):
        gone = api.get(path)
        assert gone.status_code == 410
        assert gone.json()["code"] == "job_purged"
    assert api.delete(f"/v1/jobs/{job_id}").status_code == 410
    began = time.monotonic()
    assert ended(submit({})["id"])["status"] == "succeeded"
    assert time.monotonic() - began < 10  # not behind the 30 s of the deleted one
    _wait_for(lambda: objects(files, job_id) == [])


def test_urgent_jobs_go_first(
    start_worker: StartWorker, submit: Submit, ended: Ended, store: JobStore
) -> None:
    batch = [submit({"seconds": 0.3}, priority="batch")["id"] for _ in range(6)]
    urgent = submit({"seconds": 0.3}, priority="interactive")["id"]
    start_worker()

    ended(urgent)

    assert [store.get(job_id).status.is_final for job_id in batch].count(True) <= 2
    assert all(ended(job_id)["status"] == "succeeded" for job_id in batch)


def _is_at(store: JobStore, job_id: str, attempt: int) -> bool:
    return store.get(job_id).attempt == attempt


def _is_gone(process: Process) -> bool:
    return not process.is_alive()


def _wait_for(condition: Callable[[], bool], *, within_seconds: float = 30) -> None:
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
