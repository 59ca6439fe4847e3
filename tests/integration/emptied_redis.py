"""Bring back what storage has after Redis was emptied, and nothing of other tests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from jobs import queue as broker
from jobs import redis_client
from jobs import s3_client as s3
from jobs.dispatch import job_dispatch
from jobs.queue import JobQueue
from jobs.rebuilding import Rebuilding
from jobs.settings import StoreSettings
from jobs.store import JobStore
from worker import keeping_house
from worker.housekeeper import Housekeeper


def empty_bucket(settings: StoreSettings) -> None:
    """Delete what earlier tests left in storage, else it would all come back."""
    client = s3.connect(settings)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=settings.s3_bucket):
        found = [item["Key"] for item in page.get("Contents", [])]
        ours = [{"Key": key} for key in found if not key.startswith("keys/")]
        if ours:
            client.delete_objects(Bucket=settings.s3_bucket, Delete={"Objects": ours})  # type: ignore[typeddict-item]


def rebuilding(settings: StoreSettings, client: "redis.Redis") -> Rebuilding:
    """Return what brings everything back."""
    return keeping_house.rebuilding(
        client, JobStore(client), s3.connect(settings), settings.s3_bucket
    )


def housekeeper(settings: StoreSettings) -> Housekeeper:
    """Return a housekeeper with connections of its own."""
    client = redis_client.connect(settings.redis_url.get_secret_value())
    return keeping_house.housekeeper(
        client,
        JobStore(client),
        job_dispatch(client, JobQueue(broker.connect(settings), client)),
        s3.connect(settings),
        settings.s3_bucket,
        grace_seconds=0.0,
    )


@contextmanager
def housekeeping(settings: StoreSettings, *, count: int = 1) -> Iterator[None]:
    """Have housekeepers look after everything meanwhile, as their programs do."""
    stop = threading.Event()
    threads = [
        threading.Thread(target=housekeeper(settings).run, args=(stop,)) for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
