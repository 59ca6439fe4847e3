"""Whom the API lets in while storage, where the keys are, is away."""

from collections.abc import Callable, Iterator
from functools import partial

import httpx
import pytest

from deploy.local.stack import Stack
from jobs.key_files import hash_of
from jobs.settings import StoreSettings
from tests.integration.keyed_service import KeyedServices
from tests.integration.outages import ANSWER_SECONDS, Ways, all_at_once, ask, works_again
from tests.integration.second_api import SecondApi


@pytest.fixture
def ways(settings: StoreSettings) -> Iterator[Ways]:
    found = Ways(settings)
    yield found
    found.close()


def test_keys_that_were_read_let_in_while_storage_is_away(
    ways: Ways, stack: Stack, start_second_api: Callable[..., SecondApi]
) -> None:
    keyed = KeyedServices(stack=stack, start_api=partial(start_second_api, **ways.variables))
    service = keyed.start(ADMIN_OWNERS="ann", API_KEYS=f"ann:{hash_of('wl_ann')}")
    key = service.make("bob", key="wl_ann").json()["key"]
    service.api.wait_until(lambda: service.lets_in(key))

    ways.lose("storage silent")

    with httpx.Client(base_url=service.api.url, timeout=60, headers={"X-API-Key": key}) as api:
        for _ in range(3):
            told = ask(api, "queue", "GET", "/v1/queue")
            assert (told.status, told.seconds < ANSWER_SECONDS) == (200, True)
        told = ask(api, "submit", "POST", "/v1/jobs", files={"file": ("a", b"x")})
        assert (told.status, told.seconds < ANSWER_SECONDS) == (503, True)
    ways.recover()


def test_an_api_that_never_read_its_keys_lets_nobody_in_until_storage_is_back(
    ways: Ways, start_second_api: Callable[..., SecondApi]
) -> None:
    ways.lose("storage silent")
    new = start_second_api(**ways.variables)
    with httpx.Client(base_url=new.url, timeout=60) as api:
        assert api.get("/health").status_code == 200  # it has started, and needs no key for that
        calls = {
            str(number): lambda number=number: ask(api, str(number), "GET", "/v1/queue")
            for number in range(20)
        }

        for told in all_at_once(calls).values():
            assert (told.status, told.seconds < ANSWER_SECONDS) == (503, True)
        ways.recover()
        works_again(lambda: api.get("/v1/queue").status_code)
