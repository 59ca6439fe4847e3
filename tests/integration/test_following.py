"""Waiting for jobs, noticing what changed, canceling, trying again."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis

from deploy.local.processes import Process
from jobs.files import JobFiles
from jobs.job import Job

StartWorker = Callable[..., Process]
Submit = Callable[..., dict[str, Any]]
Ended = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


def test_a_submission_may_wait_for_its_end(api: httpx.Client, start_worker: StartWorker) -> None:
    start_worker()
    files = {"file": ("a.wav", b'{"say": "quick"}')}

    done = api.post("/v1/jobs", files=files, headers={"Prefer": "respond-async, wait=30"})

    assert (done.status_code, done.json()["status"]) == (200, "succeeded")
    assert done.headers["preference-applied"] == "wait=30"
    assert "retry-after" not in done.headers


def test_a_submission_waits_no_longer_than_it_was_asked_to(api: httpx.Client) -> None:
    files = {"file": ("a.wav", b"{}")}

    waited = api.post("/v1/jobs", files=files, headers={"Prefer": "wait=1"})
    ignored = api.post("/v1/jobs", files=files, headers={"Prefer": "wait=soon"})
    quick = api.post("/v1/jobs", files=files, headers={"Prefer": "wait=0.1"})

    assert (waited.status_code, waited.json()["status"]) == (202, "queued")
    assert ignored.status_code == 202
    assert quick.headers["preference-applied"] == "wait=0.1"
    assert "preference-applied" not in ignored.headers


def test_what_did_not_change_is_not_sent_again(api: httpx.Client, submit: Submit) -> None:
    path = f"/v1/jobs/{submit({})['id']}"
    first = api.get(path)
    etag = {"If-None-Match": first.headers["etag"]}

    same = api.get(path, headers=etag)
    api.post(f"{path}/cancel")
    other = api.get(path, headers=etag)

    assert (same.status_code, same.content) == (304, b"")
    assert other.status_code == 200
    assert other.headers["etag"] != first.headers["etag"]


def test_a_wait_with_an_etag_ends_with_the_first_change(
    api: httpx.Client, submit: Submit, start_worker: StartWorker
) -> None:
    job = submit({"seconds": 20})
    path = f"/v1/jobs/{job['id']}"
    etag = api.get(path).headers["etag"]
    unchanged = api.get(path, params={"wait": 0.3}, headers={"If-None-Match": etag})
    start_worker()

    began = api.get(path, params={"wait": 50}, headers={"If-None-Match": etag})

    assert unchanged.status_code == 304
    assert (began.status_code, began.json()["status"]) == (200, "running")


def test_canceling_frees_the_worker_and_may_be_said_twice(
    api: httpx.Client, submit: Submit, start_worker: StartWorker, ended: Ended, files: JobFiles
) -> None:
    start_worker()
    job_id = submit({"seconds": 60})["id"]
    _wait_until(lambda: api.get(f"/v1/jobs/{job_id}").json()["status"] == "running")

    first = api.post(f"/v1/jobs/{job_id}/cancel")
    second = api.post(f"/v1/jobs/{job_id}/cancel")

    assert first.status_code == second.status_code == 202
    assert first.json()["status"] == second.json()["status"] == "canceled"
    began = time.monotonic()
    assert ended(submit({})["id"])["status"] == "succeeded"
    assert time.monotonic() - began < 20  # not behind the 60 s of the canceled one
    assert api.get(f"/v1/jobs/{job_id}").json()["status"] == "canceled"
    ledger = files._s3.get_object(Bucket=files._bucket, Key=f"jobs/{job_id}/job.json")
    assert Job.model_validate_json(ledger["Body"].read()).status == "canceled"


def test_a_job_that_succeeded_can_be_neither_canceled_nor_retried(
    api: httpx.Client, submit: Submit, start_worker: StartWorker, ended: Ended
) -> None:
    start_worker()
    job_id = ended(submit({})["id"])["id"]

    for move in ("cancel", "retry"):
        answer = api.post(f"/v1/jobs/{job_id}/{move}")
        assert (answer.status_code, answer.json()["code"]) == (409, "illegal_move")
    assert api.get(f"/v1/jobs/{job_id}").json()["status"] == "succeeded"


@pytest.mark.parametrize("end", ["failed", "canceled"])
def test_a_job_that_did_not_succeed_can_be_run_again_with_all_its_attempts(
    api: httpx.Client, submit: Submit, start_worker: StartWorker, ended: Ended, end: str
) -> None:
    job_id = submit({"fail": "corrupt"})["id"]
    if end == "canceled":
        api.post(f"/v1/jobs/{job_id}/cancel")
    start_worker()
    before = ended(job_id)

    again = api.post(f"/v1/jobs/{job_id}/retry")
    after = ended(job_id)

    assert before["status"] == end
    assert (again.status_code, again.json()["status"]) == (202, "queued")
    assert (again.json()["attempt"], again.json()["error"]) == (0, None)
    assert (after["status"], after["attempt"]) == ("failed", 1)
    assert after["id"] == job_id


def test_a_failed_job_says_how_long_it_took(
    api: httpx.Client, submit: Submit, start_worker: StartWorker, ended: Ended
) -> None:
    start_worker()

    job = ended(submit({"fail": "corrupt"})["id"])

    assert job["usage"]["processing_seconds"] >= 0
    assert job["usage"]["audio_seconds"] == 1.0


def test_a_job_says_when_it_will_be_purged(
    api: httpx.Client, submit: Submit, start_worker: StartWorker, ended: Ended
) -> None:
    start_worker()

    kept = ended(submit({})["id"])
    bounded = ended(submit({}, retention_days="3")["id"])

    assert kept["expires_at"] is None
    assert bounded["expires_at"] > bounded["finished_at"]


def _wait_until(condition: Callable[[], bool], *, within_seconds: float = 30) -> None:
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
