"""Somebody who waits for an answer goes before every backlog."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import redis

from deploy.local.processes import Process
from tests.integration.conftest import Submit

SLOTS = 2  # of the stand-in worker


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


def test_a_synchronous_call_in_the_middle_of_a_backlog_is_next_in_line(
    api: httpx.Client,
    start_worker: Callable[[], Process],
    submit: Submit,
    ended: Callable[[str], dict[str, Any]],
) -> None:
    backlog = [submit({"seconds": 0.3, "say": str(n)}, priority="batch")["id"] for n in range(24)]
    start_worker()
    ended(backlog[1])

    with ThreadPoolExecutor() as pool:
        answering = pool.submit(
            api.post, "/asr", files={"audio_file": ("a.wav", b'{"say": "me first"}')}
        )
        before = _seen_in_line(api, beside=backlog)
        answer = answering.result(timeout=60)

    assert answer.status_code == 200
    mine = api.get(f"/v1/jobs/{answer.headers['X-Job-ID']}").json()
    until = datetime.fromisoformat(mine["started_at"])
    jobs = [ended(job_id) for job_id in backlog]
    began = [datetime.fromisoformat(job["started_at"]) for job in jobs]
    overtakers = [moment for moment in began if before < moment < until]
    assert len(overtakers) <= SLOTS
    assert max(began) > until  # or there was no backlog left


def _seen_in_line(api: httpx.Client, *, beside: Sequence[str]) -> datetime:
    """Return when a job beside these was there: before that, its media was still on its way."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        newest = api.get("/v1/jobs", params={"limit": 1}).raise_for_status().json()["data"][0]
        if newest["id"] not in beside:
            return datetime.now(UTC)
        time.sleep(0.01)
    pytest.fail("no new job within 30 s")
