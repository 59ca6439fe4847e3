"""Share the real servers, started once per run on free ports, between all tiers."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from deploy.local.stack import Ports, Stack
from jobs import redis_client
from jobs import s3_client as s3
from jobs.files import JobFiles
from jobs.leases import Leases
from jobs.settings import StoreSettings
from jobs.store import REBUILT, JobStore
from pipeline.telemetry import phone_nobody
from pipeline.threads import wait_passively

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

phone_nobody()
wait_passively()  # the servers and workers under test share the cores with the tests' own models


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Valkey and SeaweedFS, and what it takes to start programs beside them."""
    running = Stack(
        directory=tmp_path_factory.mktemp("stack"), ports=Ports.free(), outlives_us=False
    )
    try:
        running.start_servers()
        _mark_as_new(running.store_settings)
        yield running
    finally:
        running.stop()


def _mark_as_new(settings: StoreSettings) -> None:
    """Say that nothing is missing in Redis: without a housekeeper nobody else does."""
    client = redis_client.connect(settings.redis_url.get_secret_value())
    client.set(REBUILT, "now")
    client.close()


def _empty_storage(settings: StoreSettings) -> None:
    client = s3.connect(settings)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=settings.s3_bucket):
        keys = [item["Key"] for item in page.get("Contents", [])]
        old: list[ObjectIdentifierTypeDef] = [
            {"Key": key} for key in keys if not key.startswith("keys/")
        ]
        if old:
            client.delete_objects(Bucket=settings.s3_bucket, Delete={"Objects": old})


@pytest.fixture(scope="session")
def settings(stack: Stack) -> StoreSettings:
    return stack.store_settings


@pytest.fixture
def valkey(settings: StoreSettings) -> Iterator["redis.Redis"]:
    """A client of an empty server, beside a storage that is empty but for keys.

    Else what earlier tests left in the ledger would come back with the next housekeeper.
    """
    _empty_storage(settings)
    client = redis_client.connect(settings.redis_url.get_secret_value())
    client.flushall()
    client.set(REBUILT, "now")  # else it would count as one that lost everything
    yield client
    client.close()


@pytest.fixture
def store(valkey: "redis.Redis") -> JobStore:
    return JobStore(valkey)


@pytest.fixture
def leases(valkey: "redis.Redis", store: JobStore) -> Leases:
    return Leases(valkey, store)


@pytest.fixture(scope="session")
def files(settings: StoreSettings) -> JobFiles:
    return JobFiles(s3.connect(settings), settings.s3_bucket)


@pytest.fixture(scope="session")
def shared_audio() -> Path:
    """Real speech with references, where this checkout has it beside it."""
    folder = Path(__file__).parents[2] / "shared" / "audio"
    if not folder.is_dir():
        pytest.skip("no folder ../shared/audio beside this checkout")
    return folder
