"""What tests of outages share: a way to each store that goes away, and how long answers take."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deploy.local.processes import Process
from jobs.settings import StoreSettings
from tests.integration.freezing_proxy import FreezingProxy
from tests.integration.second_api import SecondApi

MOST_LINES = 60  # of a log during an outage, tracebacks included
KINDS = ("redis stopped", "redis silent", "storage stopped", "storage silent")
# The contract's five seconds, and what a busy machine takes beside.
ANSWER_SECONDS = 5.0 + 1.5


class Ways:
    """The ways to Redis and to storage."""

    def __init__(self, settings: StoreSettings) -> None:
        assert settings.s3_endpoint_url is not None
        self.redis = FreezingProxy(settings.redis_url.get_secret_value())
        self.storage = FreezingProxy(settings.s3_endpoint_url)

    @property
    def variables(self) -> dict[str, str]:
        """What a program's environment says to make it go by them."""
        return {"REDIS_URL": self.redis.url, "S3_ENDPOINT_URL": self.storage.url}

    def lose(self, kind: str) -> None:
        """Begin an outage of one of KINDS."""
        store, _, how = kind.partition(" ")
        way = self.redis if store == "redis" else self.storage
        if how == "stopped":
            way.refuse()
        else:
            way.freeze()

    def recover(self) -> None:
        """End every outage."""
        self.redis.pass_on()
        self.storage.pass_on()

    def close(self) -> None:
        """Let nothing pass any more."""
        self.redis.close()
        self.storage.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a request came to."""

    name: str
    status: int
    seconds: float
    headers: Mapping[str, str]
    body: Any  # JSON; None: something else


def ask(client: httpx.Client, name: str, method: str, path: str, **options: Any) -> Told:
    """Send a request and look at the clock; `options` are those of httpx."""
    began = time.monotonic()
    answer = client.request(method, path, **options)
    seconds = time.monotonic() - began
    is_json = "json" in answer.headers.get("content-type", "")
    return Told(
        name=name,
        status=answer.status_code,
        seconds=seconds,
        headers=answer.headers,
        body=answer.json() if is_json else None,
    )


def all_at_once(calls: Mapping[str, Callable[[], Told]]) -> dict[str, Told]:
    """Make every call in a thread of its own."""
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = {name: pool.submit(call) for name, call in calls.items()}
        return {name: future.result() for name, future in futures.items()}


def works_again(call: Callable[[], int], *, within_seconds: float = 20) -> None:
    """Return once a call has a status of success."""
    deadline = time.monotonic() + within_seconds
    while (status := call()) >= 400:
        assert time.monotonic() < deadline, status
        time.sleep(0.2)


def lines(log: Path) -> list[str]:
    """Return what a program wrote."""
    return log.read_text().splitlines()


def says(process: Process, words: str, *, within_seconds: float = 90) -> None:
    """Return once a program's log has these words."""
    SecondApi.wait_until(
        lambda: any(words in line for line in lines(process.log)), within_seconds=within_seconds
    )
