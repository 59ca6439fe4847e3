"""Measure the largest batch: python -m benchmarks.batches.

Accepts, watches, fetches and cancels batches of 10,000 jobs through the API, and says what each
waiting job takes of Redis' memory. No worker runs. Where the time of accepting goes is measured
beside it, in this process, one part after the other.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import redis

from api.batch_items import ItemReader
from api.batch_request import BatchFields
from api.receiving import media_named_by
from api.settings import ApiSettings
from deploy.local.stack import ROOT, Ports, Stack
from jobs import redis_client
from jobs import s3_client as s3
from jobs.batch import MAX_ITEMS, Batch
from jobs.batch_files import BatchFiles
from jobs.batch_work import batch_work
from jobs.ids import new_id
from jobs.job import Job
from jobs.store import JobStore

Item = dict[str, object]
Seconds = dict[str, list[float]]
T = TypeVar("T")


def items_of(count: int) -> list[Item]:
    """Return items such as an archive of calls would have."""
    root = "https://media.example.com/archive/2026"
    return [
        {"source": {"url": f"{root}/call-{n:05d}.mp3"}, "external_id": f"call-{n:05d}"}
        for n in range(count)
    ]


def timed(seconds: Seconds, name: str, do: Callable[[], T]) -> T:
    """Return what `do` returns, and add how long it took."""
    began = time.perf_counter()
    outcome = do()
    seconds.setdefault(name, []).append(time.perf_counter() - began)
    return outcome


def through_the_api(url: str, count: int, seconds: Seconds) -> None:
    """Send a batch, look at it, fetch its results, cancel it."""
    body = json.dumps({"items": items_of(count), "options": {"language": "en"}}).encode()
    with httpx.Client(base_url=url, timeout=120) as api:

        def call(method: str, path: str, **asked: Any) -> httpx.Response:
            answer = api.request(method, path, **asked)
            answer.raise_for_status()
            return answer

        headers = {"Content-Type": "application/json"}
        batch = timed(
            seconds,
            "POST /v1/batches",
            lambda: call("POST", "/v1/batches", content=body, headers=headers),
        )
        root = f"/v1/batches/{batch.json()['id']}"
        timed(seconds, "GET /v1/batches/{id}", lambda: call("GET", root))
        timed(seconds, "GET …/results, nothing done yet", lambda: call("GET", f"{root}/results"))
        canceled = timed(seconds, "POST …/cancel", lambda: call("POST", f"{root}/cancel"))
        left = canceled.json()["counts"]["queued"]
        if left:
            sys.stdout.write(f"left to the housekeeper: {left}\n")
        call("DELETE", root)


def part_by_part(stack: Stack, count: int, seconds: Seconds) -> float:
    """Do in this process what accepting consists of; return Redis' bytes for each waiting job."""
    settings = stack.store_settings
    client = redis_client.connect(settings.redis_url.get_secret_value())
    client.flushall()
    storage = s3.connect(settings)
    store = JobStore(client)
    work = batch_work(client, store, storage, settings.s3_bucket)
    now = datetime.now(UTC)
    batch = Batch(id=new_id("bat", now), owner="ann", total=count, created_at=now)
    raw = items_of(count)

    def check() -> ItemReader:
        reader = ItemReader(BatchFields(options={"language": "en"}), ApiSettings())
        for item in raw:
            reader.read(item)
        return reader

    def make() -> list[Job]:
        ids = sorted(new_id("job", now) for _ in range(count))
        return [
            Job(
                id=job_id,
                owner="ann",
                batch_id=batch.id,
                options=item.options,
                media=media_named_by(item.source),
                source=item.source,
                created_at=now,
            )
            for job_id, item in zip(ids, reader.items(), strict=True)
        ]

    reader = timed(seconds, "check the items (pydantic)", check)
    jobs = timed(seconds, "make the jobs", make)
    files = BatchFiles(storage, settings.s3_bucket)
    timed(seconds, "manifest to S3", lambda: files.write(batch, jobs))
    work.add(batch, jobs, max_queued=count, name=None)
    before = used_bytes(client)
    timed(
        seconds,
        "records and indexes to Redis",
        lambda: work.write_down(batch, jobs, seconds=600),
    )
    after = used_bytes(client)
    client.close()
    return (after - before) / count


def used_bytes(client: "redis.Redis") -> int:
    """Return what Redis holds, by its own count."""
    return int(client.info("memory")["used_memory"])


def commit() -> str:
    """Return which code this is."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - our own command


def main() -> int:
    """Start the service, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=MAX_ITEMS)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    seconds: Seconds = {}
    sizes: list[float] = []
    with tempfile.TemporaryDirectory(prefix="whisperline-benchmark-") as directory:
        stack = Stack(directory=Path(directory), ports=Ports.free(), outlives_us=False)
        try:
            stack.start_servers()
            stack.start_api(variables={"REQUESTS_PER_MINUTE": "0"})
            for _ in range(arguments.runs):
                through_the_api(stack.url, arguments.jobs, seconds)
            sizes += [part_by_part(stack, arguments.jobs, seconds) for _ in range(arguments.runs)]
        finally:
            stack.stop()
    sys.stdout.write(
        f"`python -m benchmarks.batches --jobs {arguments.jobs} --runs {arguments.runs}` at "
        f"{commit()}, medians, {platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, load {os.getloadavg()[0]:.1f}\n\n"
        f"| {arguments.jobs} jobs | s |\n|---|---|\n"
    )
    for name, each in seconds.items():
        sys.stdout.write(f"| {name} | {statistics.median(each):.2f} |\n")
    sys.stdout.write(f"\nRedis, each waiting job: {statistics.median(sizes):.0f} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
