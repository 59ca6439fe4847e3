"""A service without keys gets its first one from its own machine, and then its door is closed."""

from collections.abc import Callable

import pytest

from deploy.local.stack import Stack
from tests.integration.keyed_service import CALLS, KeyedService, KeyedServices
from tests.integration.second_api import SecondApi


@pytest.fixture(scope="module")
def keyed(stack: Stack, start_second_api: Callable[..., SecondApi]) -> KeyedServices:
    return KeyedServices(stack=stack, start_api=start_second_api)


@pytest.fixture(scope="module")
def shared_open(keyed: KeyedServices) -> KeyedService:
    """Nobody gets a key here."""
    return keyed.start(ADMIN_OWNERS="anonymous")


@pytest.fixture
def open_service(keyed: KeyedServices) -> KeyedService:
    """Nobody has a key yet."""
    return keyed.start(ADMIN_OWNERS="ann")


def test_a_program_of_this_machine_makes_the_first_key_and_closes_the_door(
    open_service: KeyedService,
) -> None:
    first = open_service.make("carol", key=None)
    key = first.json()["key"]
    open_service.api.wait_until(lambda: not open_service.lets_in(None))

    assert first.status_code == 201
    assert first.json().keys() == {"name", "key", "sha256", "notice"}
    assert "closed the door" in first.json()["notice"]
    assert open_service.lets_in(key)
    assert open_service.make("dora", key=None).status_code == 401
    assert open_service.make("dora", key=key).status_code == 403  # the first key is no admin's
    assert open_service.names() == ["carol"]


def test_a_process_that_has_not_heard_of_the_first_key_makes_no_second_one(
    open_service: KeyedService, keyed: KeyedServices
) -> None:
    other = keyed.start(bucket=open_service.bucket, ADMIN_OWNERS="anonymous")
    assert other.lets_in(None)  # it reads storage again in 5 s

    assert open_service.make("carol", key=None).status_code == 201
    for method, path in CALLS:
        answer = other.ask(method, path, json={"name": "mallory"})

        assert answer.status_code in (401, 403), (method, path)
    assert open_service.names() == ["carol"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.7"},
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
        {"X-API-Key": "of-another-service"},
        {"Authorization": "Bearer of-another-service"},
    ],
)
def test_nobody_else_makes_the_first_key(
    shared_open: KeyedService, headers: dict[str, str]
) -> None:
    answer = shared_open.ask("POST", "/v1/keys", headers=headers, json={"name": "mallory"})

    assert answer.status_code == 403
    assert "python -m api keys create" in answer.json()["detail"]
    assert shared_open.names() == []


@pytest.mark.parametrize(("method", "path"), CALLS[1:])
def test_an_open_service_has_no_keys_to_list_or_revoke(
    shared_open: KeyedService, method: str, path: str
) -> None:
    answer = shared_open.ask(method, path)

    assert answer.status_code == 403
    assert "POST /v1/keys" in answer.json()["detail"]


def test_where_everybody_is_let_in_nobody_manages_keys(keyed: KeyedServices) -> None:
    service = keyed.start(ALLOW_ANONYMOUS="true", ADMIN_OWNERS="anonymous")
    for method, path in CALLS:
        answer = service.ask(method, path, json={"name": "mallory"})

        assert answer.status_code == 403, (method, path)
        assert "ALLOW_ANONYMOUS" in answer.json()["detail"]
    assert service.names() == []
