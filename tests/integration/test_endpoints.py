"""Where owners want to be told: Redis has the truth, storage a copy."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import redis
from pydantic import BaseModel

from deploy.local.servers import free_ports
from jobs import redis_client
from jobs import s3_client as s3
from jobs.endpoint import Endpoint
from jobs.endpoints import MOST_ENDPOINTS, Endpoints
from jobs.errors import StorageUnavailable, StoreUnavailable
from jobs.ids import new_id
from jobs.outbox import endpoints_key
from jobs.request_errors import EndpointNotFound, TooManyEndpoints
from jobs.settings import StoreSettings
from jobs.webhook_files import WebhookFiles
from jobs.webhook_secret import WebhookSecret
from tests.integration.webhook_ledger import empty_ledger, ledger_away

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def written(settings: StoreSettings) -> WebhookFiles:
    return empty_ledger(settings)


@pytest.fixture
def unwritable(settings: StoreSettings) -> WebhookFiles:
    return ledger_away(settings)


@pytest.fixture
def endpoints(valkey: "redis.Redis", written: WebhookFiles) -> Endpoints:
    return Endpoints(valkey, written)


def an_endpoint(*, owner: str = "ann") -> Endpoint:
    return Endpoint(
        id=new_id("whk", datetime.now(UTC)),
        owner=owner,
        url="https://app.example/hook",
        secret=WebhookSecret(),
        created_at=NOW,
    )


def in_ledger(written: WebhookFiles, endpoint: Endpoint) -> Endpoint | None:
    found = written.read(endpoint.owner, endpoint.id)
    return None if found is None else Endpoint.model_validate_json(found)


def described(text: str) -> Callable[[Endpoint], Endpoint]:
    return lambda endpoint: endpoint.model_copy(update={"description": text})


def test_an_endpoint_is_found_by_its_owner_and_written_down(
    endpoints: Endpoints, written: WebhookFiles
) -> None:
    first, second, others = an_endpoint(), an_endpoint(), an_endpoint(owner="bob")
    for endpoint in (others, second, first):
        endpoints.add(endpoint)

    assert endpoints.get("ann", first.id) == first
    assert endpoints.of("ann") == sorted([first, second], key=lambda each: each.id)
    assert endpoints.of("nobody") == []
    assert in_ledger(written, first) == first


def test_somebody_elses_endpoint_is_not_there(endpoints: Endpoints) -> None:
    endpoint = an_endpoint()
    endpoints.add(endpoint)

    for call in (
        lambda: endpoints.get("bob", endpoint.id),
        lambda: endpoints.update("bob", endpoint.id, described("mine")),
        lambda: endpoints.remove("bob", endpoint.id),
    ):
        with pytest.raises(EndpointNotFound):
            call()
    assert endpoints.of("ann") == [endpoint]


def test_one_owner_has_no_more_than_the_limit_however_many_come_at_once(
    endpoints: Endpoints, written: WebhookFiles
) -> None:
    asked = [an_endpoint() for _ in range(MOST_ENDPOINTS + 8)]

    def kept(endpoint: Endpoint) -> bool:
        try:
            endpoints.add(endpoint)
        except TooManyEndpoints:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(kept, asked))

    assert outcomes.count(True) == MOST_ENDPOINTS == len(endpoints.of("ann"))
    for endpoint, is_kept in zip(asked, outcomes, strict=True):
        assert (in_ledger(written, endpoint) is not None) is is_kept


def test_without_storage_there_is_no_new_endpoint(
    valkey: "redis.Redis", unwritable: WebhookFiles
) -> None:
    with pytest.raises(StorageUnavailable):
        Endpoints(valkey, unwritable).add(an_endpoint())

    assert not valkey.exists(endpoints_key("ann"))


def test_what_its_owner_changes_is_written_down(
    endpoints: Endpoints, written: WebhookFiles
) -> None:
    endpoint = an_endpoint()
    endpoints.add(endpoint)

    changed = endpoints.update("ann", endpoint.id, lambda now: now.rotated(NOW))

    assert changed.secret.previous == endpoint.secret.current
    assert endpoints.get("ann", endpoint.id) == changed
    assert in_ledger(written, endpoint) == changed


def test_a_failed_delivery_is_recorded_but_not_written_down(
    endpoints: Endpoints, written: WebhookFiles
) -> None:
    endpoint = an_endpoint()
    endpoints.add(endpoint)

    failing = endpoints.update("ann", endpoint.id, lambda now: now.failed(NOW))

    assert failing.failing_since == NOW
    assert endpoints.get("ann", endpoint.id) == failing
    assert in_ledger(written, endpoint) == endpoint


def test_a_delivery_that_changes_nothing_writes_nothing(
    endpoints: Endpoints, valkey: "redis.Redis"
) -> None:
    endpoint = an_endpoint()
    endpoints.add(endpoint)
    before = valkey.info("commandstats")

    endpoints.update("ann", endpoint.id, Endpoint.succeeded)

    after = valkey.info("commandstats")
    for command in ("hset", "watch", "exec"):
        name = f"cmdstat_{command}"
        assert after[name]["calls"] == before[name]["calls"], command


def test_an_endpoint_that_is_410_stays_disabled_while_its_owner_changes_it(
    endpoints: Endpoints, valkey: "redis.Redis", written: WebhookFiles
) -> None:
    """Each of two changes at once is made to what the other left."""
    endpoint = an_endpoint()
    endpoints.add(endpoint)
    interfered: list[bool] = []

    def slowly(now: Endpoint) -> Endpoint:
        if len(interfered) == 1:  # the second time it is asked, under WATCH
            Endpoints(valkey, written).update("ann", endpoint.id, lambda now: now.disabled("410"))
        interfered.append(True)
        return now.model_copy(update={"description": "changed"})

    changed = endpoints.update("ann", endpoint.id, slowly)

    assert len(interfered) == 3
    assert (changed.status, changed.description) == ("disabled", "changed")
    assert in_ledger(written, endpoint) == endpoints.get("ann", endpoint.id) == changed


def test_many_changes_at_once_are_all_made_and_the_ledger_has_the_last(
    endpoints: Endpoints, written: WebhookFiles
) -> None:
    endpoint = an_endpoint()
    endpoints.add(endpoint)

    def longer(now: Endpoint) -> Endpoint:
        return now.model_copy(update={"description": now.description + "x"})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: endpoints.update("ann", endpoint.id, longer), range(24)))

    assert endpoints.get("ann", endpoint.id).description == "x" * 24
    assert in_ledger(written, endpoint) == endpoints.get("ann", endpoint.id)


class _Slow(WebhookFiles):
    """The ledger, so slow that something happens between a look at the record and the write."""

    meanwhile: Callable[[], object] | None = None

    def write(self, owner: str, name: str, value: BaseModel) -> None:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        super().write(owner, name, value)


@pytest.mark.parametrize("is_removed", [True, False])
def test_a_late_write_does_not_bring_back_what_was(
    endpoints: Endpoints,
    valkey: "redis.Redis",
    written: WebhookFiles,
    settings: StoreSettings,
    *,
    is_removed: bool,
) -> None:
    endpoint = an_endpoint()
    endpoints.add(endpoint)
    slow = _Slow(s3.connect(settings), settings.s3_bucket)

    def happens() -> None:
        if is_removed:
            endpoints.remove("ann", endpoint.id)
        else:
            endpoints.update("ann", endpoint.id, described("second"))

    slow.meanwhile = happens
    Endpoints(valkey, slow).update("ann", endpoint.id, described("first"))

    kept = in_ledger(written, endpoint)
    assert (kept.description if kept else None) == (None if is_removed else "second")


def test_a_change_holds_although_storage_is_away(
    endpoints: Endpoints, valkey: "redis.Redis", unwritable: WebhookFiles
) -> None:
    endpoint = an_endpoint()
    endpoints.add(endpoint)

    Endpoints(valkey, unwritable).update("ann", endpoint.id, described("changed"))

    assert endpoints.get("ann", endpoint.id).description == "changed"


def test_a_removed_endpoint_is_in_neither_place_and_nobody_listens(
    endpoints: Endpoints, valkey: "redis.Redis", written: WebhookFiles
) -> None:
    endpoint = an_endpoint()
    endpoints.add(endpoint)

    endpoints.remove("ann", endpoint.id)

    assert in_ledger(written, endpoint) is None
    assert not valkey.exists(endpoints_key("ann"))
    with pytest.raises(EndpointNotFound):
        endpoints.remove("ann", endpoint.id)


def test_without_storage_no_endpoint_is_removed_by_halves(
    endpoints: Endpoints, valkey: "redis.Redis", unwritable: WebhookFiles
) -> None:
    endpoint = an_endpoint()
    endpoints.add(endpoint)

    with pytest.raises(StorageUnavailable):
        Endpoints(valkey, unwritable).remove("ann", endpoint.id)

    assert endpoints.of("ann") == [endpoint]


def test_without_redis_nothing_is_left_in_the_ledger(written: WebhookFiles) -> None:
    (port,) = free_ports(1)
    endpoint = an_endpoint()

    with pytest.raises(StoreUnavailable):
        Endpoints(redis_client.connect(f"redis://127.0.0.1:{port}/0"), written).add(endpoint)

    assert in_ledger(written, endpoint) is None
