"""Requests at `/asr` for the same share one job, which ends when none of them is left."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx
import pytest
import redis

from deploy.local.processes import Process
from jobs.job import Job
from jobs.key_files import hash_of
from jobs.listing import JobFilter, JobList
from jobs.status import JobStatus
from jobs.store import JobStore
from tests.integration import asr_requests
from tests.integration.asr_requests import SCRIPT
from tests.integration.second_api import SecondApi

StartSecondApi = Callable[..., SecondApi]
StartWorker = Callable[[], Process]
Jobs = Callable[..., list[Job]]

ANN, BOB = "wl_annskey_000000000000000000000000000", "wl_bobskey_000000000000000000000000000"


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture(scope="module")
def url(start_second_api: StartSecondApi) -> str:
    """An API whose answers begin at once."""
    keys = f"ann:{hash_of(ANN)},bob:{hash_of(BOB)}"
    return start_second_api(HEARTBEAT_SECONDS="0.2", API_KEYS=keys).url


@pytest.fixture
def jobs(valkey: "redis.Redis", store: JobStore) -> Jobs:
    """A function that returns all jobs of an owner, newest first."""
    listed = JobList(valkey, store)
    return lambda owner="ann": list(listed.page(owner, JobFilter(), limit=50).jobs)


def held(
    url: str, content: bytes = SCRIPT, *, key: str = ANN, **query: str
) -> AbstractContextManager[httpx.Response]:
    return asr_requests.held(url, content, key=key, **query)


def test_the_same_request_shares_the_job_and_both_are_answered(
    url: str, start_worker: StartWorker, jobs: Jobs
) -> None:
    with held(url, output="srt") as first, held(url, output="json") as second:
        assert len(jobs()) == 1
        start_worker()
        subtitles, answer = first.read().decode(), second.read()

    assert "[SPEAKER_00] hello" in subtitles
    assert json.loads(answer)["language"] == "en"


def test_a_shared_job_goes_on_until_the_last_hangs_up(
    url: str, jobs: Jobs, valkey: "redis.Redis"
) -> None:
    with held(url):
        with held(url):
            (job,) = jobs()
            holders = f"whisperline:holders:{job.id}"
            assert valkey.zcard(holders) == 2
        SecondApi.wait_until(lambda: valkey.zcard(holders) == 1)
        assert jobs()[0].status is JobStatus.QUEUED

    SecondApi.wait_until(lambda: jobs()[0].status is JobStatus.CANCELED)


def test_other_options_other_bytes_and_other_owners_have_jobs_of_their_own(
    url: str, jobs: Jobs
) -> None:
    with held(url), held(url, language="de"), held(url, SCRIPT + b" "), held(url, key=BOB):
        assert len(jobs("ann")) == 3
        assert len(jobs("bob")) == 1


def test_a_request_that_comes_again_after_the_hang_up_is_a_new_job(
    url: str, start_worker: StartWorker, jobs: Jobs
) -> None:
    with held(url):
        pass
    SecondApi.wait_until(lambda: jobs()[0].status is JobStatus.CANCELED)
    with held(url) as again:
        start_worker()
        answer = again.read()

    assert json.loads(answer)["language"] == "en"
    assert len(jobs()) == 2
