"""Who is let in, and who sees what."""

import base64
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import redis

from deploy.local.stack import ROOT, Stack
from jobs.key_files import hash_of
from tests.integration.second_api import SecondApi

ANN, BOB = "wl_annskey_000000000000000000000000000", "wl_bobskey_000000000000000000000000000"
SCRIPT = b'{"say": "hello"}'

StartSecondApi = Callable[..., SecondApi]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """One API with keys, entered as different people."""

    api: SecondApi
    ann: httpx.Client
    bob: httpx.Client
    nobody: httpx.Client


@pytest.fixture(scope="module")
def doors(start_second_api: StartSecondApi) -> Iterator[Doors]:
    api = start_second_api(API_KEYS=f"ann:{hash_of(ANN)},bob:{hash_of(BOB)}")

    def client(**headers: str) -> httpx.Client:
        return httpx.Client(base_url=api.url, timeout=30, headers=headers)

    with (
        client(Authorization=f"Bearer {ANN}") as ann,
        client(Authorization=f"Bearer {BOB}") as bob,
        client() as nobody,
    ):
        yield Doors(api=api, ann=ann, bob=bob, nobody=nobody)


def submitted(client: httpx.Client, **headers: str) -> dict[str, Any]:
    answer = client.post("/v1/jobs", files={"file": ("a.wav", SCRIPT)}, headers=headers)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Digest x=y"},
        {"X-API-Key": ANN[:-1]},
        {"X-API-Key": hash_of(ANN)},
    ],
)
def test_without_a_known_key_nobody_is_let_in(doors: Doors, headers: dict[str, str]) -> None:
    for path in ("/v1/jobs", "/v1/jobs/job_x", "/v1/jobs/job_x/transcript"):
        answer = doors.nobody.get(path, headers=headers)

        assert answer.status_code == 401, path
        assert "Bearer" in answer.headers["www-authenticate"]


def test_each_way_to_send_a_key_works(doors: Doors) -> None:
    basic = base64.b64encode(f"anybody:{ANN}".encode()).decode()
    for headers in (
        {"Authorization": f"Bearer {ANN}"},
        {"authorization": f"bearer {ANN}"},
        {"X-API-Key": ANN},
        {"Authorization": f"Basic {basic}"},
    ):
        assert doors.nobody.get("/v1/jobs", headers=headers).status_code == 200, headers


def test_every_face_refuses_in_its_own_shape(doors: Doors) -> None:
    native = doors.nobody.get("/v1/jobs")
    drop_in = doors.nobody.post("/asr", files={"audio_file": ("a.wav", SCRIPT)})

    assert native.json()["code"] == "not_authenticated"
    assert drop_in.json().keys() == {"detail"}
    assert drop_in.status_code == 401


def test_health_needs_no_key(doors: Doors) -> None:
    for path in ("/health", "/ready", "/", "/openapi.json"):
        assert doors.nobody.get(path).status_code == 200, path


def test_an_owner_meets_the_jobs_of_others_as_if_they_were_not_there(doors: Doors) -> None:
    job = submitted(doors.ann)["id"]
    unknown = "job_" + "0" * 32
    doors.ann.put("/v1/jobs/anns-own-name", files={"file": ("a.wav", SCRIPT)})

    for method, path in (
        ("GET", "/v1/jobs/{id}"),
        ("GET", "/v1/jobs/{id}?wait=1"),
        ("GET", "/v1/jobs/{id}/transcript"),
        ("GET", "/v1/jobs/{id}/media"),
        ("GET", "/v1/jobs/{id}/events"),
        ("POST", "/v1/jobs/{id}/cancel"),
        ("POST", "/v1/jobs/{id}/retry"),
        ("DELETE", "/v1/jobs/{id}"),
    ):
        theirs = doors.bob.request(method, path.format(id=job))
        none = doors.bob.request(method, path.format(id=unknown))
        named = doors.bob.request(method, path.format(id="anns-own-name"))

        assert theirs.status_code == none.status_code == named.status_code == 404, (method, path)
        assert theirs.json()["detail"].replace(job, "") == none.json()["detail"].replace(
            unknown, ""
        )
    assert job not in doors.bob.get("/v1/jobs").text
    assert doors.ann.get(f"/v1/jobs/{job}").json()["status"] == "queued"
    assert job in doors.ann.get("/v1/jobs").text


def test_a_deleted_job_is_gone_for_its_owner_and_unknown_to_others(doors: Doors) -> None:
    job = submitted(doors.ann)["id"]

    assert doors.ann.delete(f"/v1/jobs/{job}").status_code == 204
    assert doors.ann.get(f"/v1/jobs/{job}").status_code == 410
    assert doors.bob.get(f"/v1/jobs/{job}").status_code == 404


def test_names_and_idempotency_keys_belong_to_their_owner(doors: Doors) -> None:
    mine = submitted(doors.ann, **{"Idempotency-Key": "same"})
    theirs = submitted(doors.bob, **{"Idempotency-Key": "same"})
    named = [
        client.put("/v1/jobs/same", files={"file": ("a.wav", SCRIPT)}).json()["id"]
        for client in (doors.ann, doors.bob)
    ]

    assert mine["id"] != theirs["id"]
    assert len(set(named)) == 2
    assert doors.bob.get("/v1/jobs/same").json()["id"] == named[1]


def test_keys_never_reach_the_log(doors: Doors) -> None:
    doors.nobody.get("/v1/jobs", headers={"Authorization": "Bearer wl_wrong_but_secret"})
    doors.nobody.get("/v1/jobs", params={"api_key": "wl_in_the_query_by_mistake"})
    submitted(doors.ann)

    log = doors.api.process.log.read_text()
    assert "/v1/jobs" in log
    for secret in (ANN, BOB, "wl_wrong_but_secret", "wl_in_the_query_by_mistake"):
        assert secret not in log
        assert hash_of(secret) not in log


def keys(stack: Stack, *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api", "keys", *arguments],
        cwd=ROOT,
        env=stack.environment,
        input=said,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_key_made_while_the_service_runs_closes_the_door_and_opens_it_for_its_owner(
    stack: Stack, start_second_api: StartSecondApi, valkey: "redis.Redis"
) -> None:
    api = start_second_api()
    with httpx.Client(base_url=api.url, timeout=30) as client:
        assert client.get("/v1/jobs").status_code == 200  # open, and this is its own machine
        made = keys(stack, "create", "carol")
        try:
            key = made.stdout.strip()
            mine = {"X-API-Key": key}
            api.wait_until(lambda: client.get("/v1/jobs").status_code == 401)
            assert client.get("/v1/jobs", headers=mine).status_code == 200
            assert "carol" in keys(stack, "list").stdout
            assert key not in keys(stack, "list").stdout
            valkey.flushall()  # a Redis that lost everything must not open the door
            assert client.get("/v1/jobs").status_code == 401
            assert client.get("/v1/jobs", headers=mine).status_code == 200
            assert keys(stack, "reopen").returncode == 1  # not while there is a key
            revoked = keys(stack, "revoke", "carol")
            api.wait_until(lambda: client.get("/v1/jobs", headers=mine).status_code == 401)
            assert client.get("/v1/jobs").status_code == 401  # the last key gone opens nothing
        finally:
            keys(stack, "revoke", "carol")
            reopened = keys(stack, "reopen")
        api.wait_until(lambda: client.get("/v1/jobs").status_code == 200)

    assert reopened.returncode == 0
    assert made.returncode == revoked.returncode == 0
    assert keys(stack, "revoke", "carol").returncode == 1
    assert keys(stack, "create", "../carol").returncode == 1
    assert keys(stack, "hash", said="secret\n").stdout.strip() == hash_of("secret")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"X-Forwarded-For": "203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://evil.example"},
        {"X-Forwarded-Host": "evil.example"},
    ],
)
def test_an_open_service_serves_programs_of_its_own_machine_only(
    api: httpx.Client, headers: dict[str, str]
) -> None:
    refused = api.get("/v1/jobs", headers=headers)

    assert refused.status_code == 403
    assert "python -m api keys create" in refused.json()["detail"]
    assert api.get("/v1/jobs").status_code == 200


def test_an_operator_may_open_the_door_to_all(start_second_api: StartSecondApi) -> None:
    api = start_second_api(ALLOW_ANONYMOUS="true")

    answer = httpx.get(f"{api.url}/v1/jobs", headers={"X-Forwarded-For": "203.0.113.7"})

    assert answer.status_code == 200
    assert "open to everybody" in api.process.log.read_text()
