"""Run the whole service with a fleet of simulated GPUs: real servers, API, launcher, housekeeper.

Two owners send jobs: one has a backlog, the other is a newcomer who sends one at a time. All media
is one object in a bucket of its own, which says how long a job takes.
"""

import json
import secrets
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import httpx

from benchmarks.fleet_activity import Activity
from benchmarks.fleet_costs import Meters, read_meters
from deploy.local.processes import Process
from deploy.local.stack import Ports, Stack
from jobs import redis_client
from jobs import s3_client as s3
from jobs.batch import MAX_ITEMS
from jobs.key_files import hash_of
from jobs.options import Priority
from jobs.redis_client import texts
from jobs.store import JobStore
from jobs.workers import WorkerRegistry

BACKLOG, NEWCOMER = "backlog", "newcomer"  # the owners
MAX_PROCESSES = 8  # more do not fit two cores; each runs several simulated GPUs as its threads
_BUCKET, _KEY = "fleet-media", "call"
_SOURCE = {"source": {"s3_uri": f"s3://{_BUCKET}/{_KEY}"}}
_START_SECONDS = 60.0


class RefusedRequest(RuntimeError):
    """The service did not do what was asked; the message says why."""


class Service:
    """A service of its own; its fleet is started and stopped while it runs.

    Args:
        name: for its logs.
        job_seconds: what a job takes on a GPU.
    """

    def __init__(self, name: str, *, job_seconds: float) -> None:
        self._name = name
        self._job_seconds = job_seconds
        self._open = ExitStack()
        self._keys = {owner: secrets.token_hex(16) for owner in (BACKLOG, NEWCOMER)}
        self._launcher: Process | None = None

    def __enter__(self) -> Self:
        directory = Path(
            self._open.enter_context(TemporaryDirectory(prefix=f"whisperline-{self._name}-"))
        )
        hashes = ",".join(f"{owner}:{hash_of(key)}" for owner, key in self._keys.items())
        self._stack = Stack(
            directory=directory,
            ports=Ports.free(),
            outlives_us=False,
            settings={
                "API_KEYS": hashes,
                "REQUESTS_PER_MINUTE": "0",
                "MAX_QUEUED_PER_OWNER": "1000000",
                "SOURCE_BUCKETS": _BUCKET,
                "DRAIN_SECONDS": "0",
                "WORKER_NAME": "fleet",
                "DEVICE": "cpu",
                "WORK_DIR": str(directory),
            },
        )
        self._open.callback(self._stack.stop)
        try:
            self._start(directory)
        except BaseException:
            self._open.close()
            raise
        return self

    def _start(self, directory: Path) -> None:
        self._stack.start_servers()
        self._put_media()
        self._housekeeper = self._stack.start(
            "housekeeper", [sys.executable, "-m", "worker", "housekeeper"]
        )
        self._api = self._stack.start_api()
        self._http = self._open.enter_context(httpx.Client(base_url=self._stack.url, timeout=60))
        self.redis = redis_client.connect(self._stack.valkey.url)
        self._open.callback(self.redis.close)
        self._lines = directory / "activity"
        self._lines.mkdir()
        self.activity = Activity(self._lines)

    def _put_media(self) -> None:
        storage = s3.connect(self._stack.store_settings)
        storage.create_bucket(Bucket=_BUCKET)
        storage.put_object(Bucket=_BUCKET, Key=_KEY, Body=self.script)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def script(self) -> bytes:
        """The media that every job has."""
        return json.dumps({"seconds": self._job_seconds}).encode()

    def call(self, owner: str, method: str, path: str, **asked: Any) -> httpx.Response:
        """Send a request as one of the owners.

        Raises:
            RefusedRequest: it was not done.
        """
        headers = {"Authorization": f"Bearer {self._keys[owner]}"}
        answer = self._http.request(method, path, headers=headers, **asked)
        if answer.is_error:
            msg = f"{method} {path}: {answer.status_code} {answer.text:.500}"
            raise RefusedRequest(msg)
        return answer

    def submit(self, owner: str) -> str:
        """Send one job; return its id."""
        return str(self.call(owner, "POST", "/v1/jobs", json=_SOURCE).json()["id"])

    def withdraw(self, owner: str, job_id: str) -> None:
        """Leave nothing of a job that waits: neither itself nor its message."""
        self.call(owner, "DELETE", f"/v1/jobs/{job_id}")
        for message in texts(self.redis.lrange(Priority.NORMAL, 0, -1)):  # a few at most
            if job_id in message:
                self.redis.lrem(Priority.NORMAL, 1, message)

    def withdraw_waiting(self, owner: str) -> int:
        """Leave nothing of an owner's jobs that wait; return how many they were."""
        asked = {"status": "queued", "limit": 100}
        withdrawn = 0
        while waiting := self.call(owner, "GET", "/v1/jobs", params=asked).json()["data"]:
            for job in waiting:
                self.withdraw(owner, job["id"])
            withdrawn += len(waiting)
        return withdrawn

    def fill(self, depth: int) -> list[float]:
        """Send batches so that as many jobs wait; return how many seconds each took."""
        missing, seconds = depth - self.depth(), []
        for sent in range(0, missing, MAX_ITEMS):
            items = [_SOURCE for _ in range(min(missing - sent, MAX_ITEMS))]
            body = {"items": items, "options": {"priority": Priority.NORMAL}}
            began = time.perf_counter()
            self.call(BACKLOG, "POST", "/v1/batches", json=body)
            seconds.append(time.perf_counter() - began)
        return seconds

    def depth(self) -> int:
        """Return how many jobs wait."""
        return JobStore(self.redis).depth(Priority.NORMAL)

    def redis_bytes(self) -> int:
        """Return what Redis holds, by its own count."""
        return int(self.redis.info("memory")["used_memory"])

    def start_fleet(self, gpus: int) -> int:
        """Start so many simulated GPUs; return on how many processes they are."""
        processes = min(gpus, MAX_PROCESSES)
        self._launcher = self._stack.start(
            "launcher",
            [sys.executable, "-m", "benchmarks.fleet_worker", "launch"],
            variables={
                "FLEET_DIRECTORY": str(self._lines),
                "WORKERS_PER_GPU": str(processes),
                "JOBS_PER_WORKER": str(gpus // processes),
            },
        )
        registry = WorkerRegistry(self.redis)
        deadline = time.monotonic() + _START_SECONDS
        while len(registry.alive()) < processes:
            if time.monotonic() > deadline:
                msg = f"the fleet does not start:\n{self._launcher.last_words()}"
                raise TimeoutError(msg)
            time.sleep(0.2)
        return processes

    def stop_fleet(self) -> None:
        """Stop all GPUs; what they had in work waits again."""
        if self._launcher is not None:
            self._launcher.stop(within_seconds=30)
            self._launcher = None

    def meters(self) -> Meters:
        """Return what each part of the service has used up by now."""
        named = {each.name: each for each in self._stack.processes if each.is_alive()}
        return read_meters(named, self.redis, self.activity.requests())
