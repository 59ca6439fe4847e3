"""What the webhooks of jobs and batches are signed with, before and after Redis is emptied."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from jobs.errors import StorageUnavailable
from jobs.settings import StoreSettings
from jobs.webhook_files import WebhookFiles
from jobs.webhook_secret import WebhookSecret
from jobs.webhook_secrets import OwnerSecrets
from tests.integration.webhook_ledger import empty_ledger, ledger_away


@pytest.fixture
def written(settings: StoreSettings) -> WebhookFiles:
    return empty_ledger(settings)


@pytest.fixture
def unwritable(settings: StoreSettings) -> WebhookFiles:
    return ledger_away(settings)


@pytest.fixture
def secrets(valkey: "redis.Redis", written: WebhookFiles) -> OwnerSecrets:
    return OwnerSecrets(valkey, written)


def test_an_owner_has_one_secret_whoever_asks_first(
    valkey: "redis.Redis", written: WebhookFiles
) -> None:
    together = threading.Barrier(8)

    def asked(_: int) -> str:
        together.wait(10)
        return OwnerSecrets(valkey, written).of("ann").current

    with ThreadPoolExecutor(8) as pool:
        told = set(pool.map(asked, range(8)))

    (secret,) = told
    kept = WebhookSecret.model_validate_json(written.read("ann", "secret") or b"")
    assert kept.current == secret != OwnerSecrets(valkey, written).of("bob").current


def test_a_secret_outlives_an_emptied_redis(secrets: OwnerSecrets, valkey: "redis.Redis") -> None:
    secrets.of("ann")
    rotated = secrets.rotate("ann")
    valkey.flushall()

    assert secrets.of("ann") == rotated


def test_nothing_is_signed_with_a_secret_that_is_not_written_down(
    secrets: OwnerSecrets, valkey: "redis.Redis", unwritable: WebhookFiles
) -> None:
    with pytest.raises(StorageUnavailable):
        OwnerSecrets(valkey, unwritable).of("ann")
    before = secrets.of("ann")
    with pytest.raises(StorageUnavailable):
        OwnerSecrets(valkey, unwritable).rotate("ann")

    assert secrets.of("ann") == before


def test_a_rotation_keeps_the_secret_before_it(secrets: OwnerSecrets) -> None:
    before = secrets.of("ann")

    after = secrets.rotate("ann")

    assert secrets.of("ann") == after
    assert after.previous == before.current != after.current


def test_of_two_rotations_at_once_the_ledger_has_the_one_that_counts(
    valkey: "redis.Redis", written: WebhookFiles
) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: OwnerSecrets(valkey, written).rotate("ann"), range(4)))

    kept = WebhookSecret.model_validate_json(written.read("ann", "secret") or b"")
    assert kept == OwnerSecrets(valkey, written).of("ann")
