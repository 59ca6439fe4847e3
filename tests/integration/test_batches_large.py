"""The largest batch there is: accepted, counted, listed, canceled."""

from collections.abc import Callable

import httpx
import pytest
import redis

from jobs.batch import MAX_ITEMS
from tests.integration.batches_sent import VARIABLES, lines, read, sent, urls
from tests.integration.second_api import SecondApi


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


def test_ten_thousand_jobs_are_one_batch(
    start_second_api: Callable[..., SecondApi], valkey: "redis.Redis"
) -> None:
    url = start_second_api(**VARIABLES).url
    with httpx.Client(base_url=url, timeout=120) as api:
        refused = api.post("/v1/batches", json=urls(MAX_ITEMS + 1))
        batch = sent(api, urls(MAX_ITEMS))
        SecondApi.wait_until(lambda: read(api, batch)["status"] == "running")

        counted = read(api, batch)["counts"]
        last = api.get("/v1/jobs", params={"batch_id": batch["id"], "limit": 1}).json()
        named = [line["media"]["filename"] for line in lines(api, batch)]
        canceled = api.post(f"/v1/batches/{batch['id']}/cancel").json()

    assert refused.status_code == 422
    assert (counted["queued"], counted["deleted"]) == (MAX_ITEMS, 0)
    assert last["data"][0]["media"]["filename"] == f"{MAX_ITEMS - 1}.mp3"
    assert named == [f"{number}.mp3" for number in range(MAX_ITEMS)]
    assert canceled["canceled_at"] is not None
    assert canceled["counts"]["canceled"] + canceled["counts"]["queued"] == MAX_ITEMS
    assert canceled["counts"]["canceled"] > 0
    assert valkey.zcard("whisperline:queued:batch") == canceled["counts"]["queued"]
