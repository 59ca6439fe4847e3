"""Who makes, lists and revokes keys over HTTP, and who does not."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.keys import MOST_KEYS
from api.settings import ApiSettings
from deploy.local.stack import Stack
from jobs.key_files import hash_of
from tests.end_to_end.test_readme import shell
from tests.integration.keyed_service import CALLS, KeyedService, KeyedServices
from tests.integration.second_api import SecondApi

ANN, BOB = "wl_annskey_000000000000000000000000000", "wl_bobskey_000000000000000000000000000"
DOCS = Path(__file__).parents[2] / "docs" / "http-api.md"


@pytest.fixture(scope="module")
def keyed(stack: Stack, start_second_api: Callable[..., SecondApi]) -> KeyedServices:
    return KeyedServices(stack=stack, start_api=start_second_api)


@pytest.fixture(scope="module")
def service(keyed: KeyedServices) -> KeyedService:
    """Ann and Bob have keys in the settings; she and `boss`, who has none yet, are admins."""
    both = f"ann:{hash_of(ANN)},bob:{hash_of(BOB)}"
    return keyed.start(API_KEYS=both, ADMIN_OWNERS="ann, boss")


def test_an_admin_makes_lists_and_revokes_a_key(service: KeyedService) -> None:
    made = service.make("carol", key=ANN)
    key = made.json()["key"]
    service.api.wait_until(lambda: service.lets_in(key))
    (listed,) = [
        each
        for each in service.ask("GET", "/v1/keys", key=ANN).json()["data"]
        if each["name"] == "carol"
    ]
    revoked = service.ask("DELETE", "/v1/keys/carol", key=ANN)
    service.api.wait_until(lambda: not service.lets_in(key))

    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    assert made.json() == {"name": "carol", "key": key, "sha256": hash_of(key)}
    assert listed.pop("created_at").endswith("Z")
    assert listed == {"name": "carol", "sha256": hash_of(key), "source": "storage"}
    assert (revoked.status_code, revoked.content) == (204, b"")
    assert service.ask("DELETE", "/v1/keys/carol", key=ANN).json()["code"] == "key_not_found"


def test_all_keys_of_a_name_are_revoked_and_no_other(service: KeyedService) -> None:
    for name in ("dora", "dora", "dora.2"):
        assert service.make(name, key=ANN).status_code == 201

    assert service.ask("DELETE", "/v1/keys/dora", key=ANN).status_code == 204
    assert service.names() == ["dora.2"]
    assert service.ask("DELETE", "/v1/keys/dora.2", key=ANN).status_code == 204


def test_keys_of_the_settings_are_listed_and_revoked_there_only(service: KeyedService) -> None:
    listed = service.ask("GET", "/v1/keys", key=ANN).json()["data"]
    refused = service.ask("DELETE", "/v1/keys/bob", key=ANN)

    assert listed == [
        {"name": name, "sha256": hash_of(key), "created_at": None, "source": "settings"}
        for name, key in (("ann", ANN), ("bob", BOB))
    ]
    assert refused.status_code == 409
    assert refused.json()["code"] == "key_in_settings"
    assert "API_KEYS" in refused.json()["detail"]


def test_everybody_else_is_refused_and_told_who_may(service: KeyedService) -> None:
    service.make("eve", key=ANN)
    for method, path in (*CALLS, ("DELETE", "/v1/keys/eve"), ("DELETE", "/v1/keys/nobody")):
        answer = service.ask(method, path, key=BOB, json={"name": "bob"})

        assert answer.status_code == 403, (method, path)
        assert answer.json()["code"] == "not_allowed"
        assert "ADMIN_OWNERS" in answer.json()["detail"]
        assert "python -m api keys" in answer.json()["detail"]
        assert "RateLimit" in answer.headers
        assert service.ask(method, path, json={"name": "bob"}).status_code == 401
    assert service.names() == ["eve"]
    assert service.ask("DELETE", "/v1/keys/eve", key=ANN).status_code == 204


@pytest.mark.parametrize(
    "body", ["{}", "[]", "no", '{"name": "../ann"}', '{"name": "Ann"}', '{"name": "x", "key": "y"}']
)
def test_what_names_nobody_makes_no_key(service: KeyedService, body: str) -> None:
    answer = service.ask("POST", "/v1/keys", key=ANN, content=body)

    assert answer.status_code in (400, 422)
    assert service.names() == []


def test_nobody_locks_himself_out(service: KeyedService) -> None:
    key = service.make("boss", key=ANN).json()["key"]
    service.api.wait_until(lambda: service.lets_in(key))

    refused = service.ask("DELETE", "/v1/keys/boss", key=key)

    assert refused.status_code == 409
    assert refused.json()["code"] == "own_last_key"
    assert service.names() == ["boss"]
    assert service.make("ann", key=ANN).status_code == 201
    assert service.ask("DELETE", "/v1/keys/ann", key=ANN).status_code == 204  # one is left to her
    assert service.ask("DELETE", "/v1/keys/boss", key=ANN).status_code == 204


def test_an_admin_whose_key_was_just_revoked_makes_no_other(service: KeyedService) -> None:
    key = service.make("boss", key=ANN).json()["key"]
    service.api.wait_until(lambda: service.lets_in(key))
    assert service.ask("GET", "/v1/keys", key=key).status_code == 200  # known for 5 s from here
    for kept in service.files.read().keys:
        service.files.remove(kept)

    answer = service.make("mallory", key=key)

    assert answer.status_code in (401, 403)
    assert service.names() == []


def test_neither_keys_nor_hashes_reach_the_log(service: KeyedService) -> None:
    made = service.make("fay", key=ANN).json()
    service.ask("GET", "/v1/keys", key=ANN)
    service.ask("DELETE", "/v1/keys/fay", key=ANN)

    log = service.api.process.log.read_text()
    assert "a key of fay was made by ann" in log
    assert "the keys of fay were revoked by ann" in log
    for secret in (made["key"], made["sha256"], ANN, hash_of(ANN)):
        assert secret not in log


def test_the_examples_of_the_document_work_for_an_admin(
    service: KeyedService, tmp_path: Path
) -> None:
    text = DOCS.read_text()
    first, last = text.index("### Keys over HTTP"), text.index("## Jobs\n")
    blocks = re.findall(r"^```sh\n(.*?)^```", text[first:last], flags=re.MULTILINE | re.DOTALL)
    script = "".join(blocks).replace("http://localhost:9000", service.api.url)

    ran = shell(script, directory=tmp_path, ADMIN_KEY=ANN)

    assert ran.returncode == 0, ran.stderr
    assert re.findall(r"HTTP/1.1 (\d+)", ran.stdout) == ["200", "201", "204"]


def test_there_are_as_many_keys_as_a_request_is_compared_with(keyed: KeyedServices) -> None:
    others = [f"owner-{number}:{number:064x}" for number in range(MOST_KEYS - 2)]
    service = keyed.start(API_KEYS=",".join([f"ann:{hash_of(ANN)}", *others]), ADMIN_OWNERS="ann")

    assert service.make("carol", key=ANN).status_code == 201
    refused = service.make("dora", key=ANN)
    assert refused.status_code == 409
    assert refused.json()["code"] == "too_many_keys"
    assert str(MOST_KEYS) in refused.json()["detail"]
    assert service.names() == ["carol"]


def test_what_is_no_name_stops_the_program() -> None:
    with pytest.raises(ValidationError, match="'Ann' is no name of a key"):
        ApiSettings(admin_owners=("Ann",))
