"""Somebody who waits for an answer goes before every backlog."""

from collections.abc import Callable
from datetime import datetime
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

    answer = api.post("/asr", files={"audio_file": ("a.wav", b'{"say": "me first"}')})

    assert answer.status_code == 200
    mine = api.get(f"/v1/jobs/{answer.headers['X-Job-ID']}").json()
    jobs = [ended(job_id) for job_id in backlog]
    began = [datetime.fromisoformat(job["started_at"]) for job in jobs]
    before, until = (datetime.fromisoformat(mine[name]) for name in ("created_at", "started_at"))
    overtakers = [moment for moment in began if before < moment < until]
    assert len(overtakers) <= SLOTS
    assert max(began) > until  # or there was no backlog left
