"""Share the real servers, started once per run on free ports, between all tiers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from deploy.local.stack import Ports, Stack
from jobs import redis_client
from jobs import s3_client as s3
from jobs.files import JobFiles
from jobs.leases import Leases
from jobs.name_files import NameFiles
from jobs.settings import StoreSettings
from jobs.store import REBUILT, JobStore
from pipeline.telemetry import phone_nobody
from pipeline.threads import wait_passively

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


@pytest.fixture(scope="session")
def settings(stack: Stack) -> StoreSettings:
    return stack.store_settings


@pytest.fixture
def valkey(settings: StoreSettings) -> Iterator["redis.Redis"]:
    """A client of an empty server, beside a storage that remembers no names of earlier tests."""
    NameFiles(s3.connect(settings), settings.s3_bucket).clear()
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
