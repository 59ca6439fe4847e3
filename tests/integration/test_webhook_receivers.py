"""The receivers of docs/webhooks.md verify with nothing but the libraries of Standard Webhooks."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import redis

from deploy.local.servers import free_ports, is_listening
from jobs.delivery import DeliveryStatus
from jobs.settings import StoreSettings
from jobs.webhook_secret import WebhookSecret, new_secret
from tests import npm
from tests.integration.post_office import PostOffice
from tests.integration.second_api import SecondApi
from worker.signing import signed_headers

TEXT = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
NPM = Path(__file__).with_name("standardwebhooks_npm")
BODY = '{"type": "job.succeeded", "timestamp": "2026-11-22T12:00:00Z", "data": {"id": "job_1"}}'

Start = Callable[[str], str]


def example(language: str) -> str:
    (code,) = re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)
    return str(code)


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """How to run the two receivers."""
    folder = shutil.copytree(NPM, tmp_path_factory.mktemp("npm") / "receiver")
    npm.install(folder)
    (folder / "receiver.mjs").write_text(example("js"))
    (folder / "receiver.py").write_text(example("python"))
    return {
        "node": [*npm.node(), str(folder / "receiver.mjs")],
        "python": [sys.executable, str(folder / "receiver.py")],
    }


@pytest.fixture(params=["python", "node"])
def start(request: pytest.FixtureRequest, commands: dict[str, list[str]]) -> Iterator[Start]:
    """A function that starts the receiver with a secret and returns its address."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(secret: str) -> str:
        (port,) = free_ports(1)
        process = subprocess.Popen(
            commands[request.param],
            env={**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        SecondApi.wait_until(lambda: is_listening(port))
        return f"http://127.0.0.1:{port}/hook"

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def send(
    url: str, secrets: tuple[str, ...], *, ago: timedelta = timedelta(), body: str = BODY
) -> int:
    headers = signed_headers("evt_1", BODY, secrets=secrets, now=datetime.now(UTC) - ago)
    return httpx.post(url, content=body.encode(), headers=headers).status_code


def test_a_delivery_of_the_courier_is_taken(
    start: Start, valkey: "redis.Redis", settings: StoreSettings
) -> None:
    office = PostOffice(valkey, settings)
    office.clock.seconds = datetime.now(UTC).timestamp()
    secret = WebhookSecret()
    office.endpoint(start(secret.current), secret=secret)
    office.happens()
    office.clock.pass_(seconds=1)

    (delivery,) = office.work()

    assert delivery.status is DeliveryStatus.DELIVERED, delivery.attempts


def test_what_is_altered_old_or_signed_by_others_is_refused(start: Start) -> None:
    secret = new_secret()
    url = start(secret)

    assert send(url, (secret,)) == 204
    assert send(url, (secret,), body=BODY.replace("succeeded", "failed")) == 400
    assert send(url, (secret,), body=f"{BODY} ") == 400
    assert send(url, (secret,), ago=timedelta(minutes=6)) == 400
    assert send(url, (secret,), ago=timedelta(minutes=-6)) == 400
    assert send(url, (new_secret(),)) == 400


def test_after_a_rotation_both_secrets_verify_for_a_day(start: Start) -> None:
    now = datetime.now(UTC)
    old = WebhookSecret()
    fresh, late = old.rotated(now - timedelta(hours=23)), old.rotated(now - timedelta(hours=24))
    with_old, with_fresh = start(old.current), start(fresh.current)

    assert send(with_old, fresh.signing(now)) == 204
    assert send(with_fresh, fresh.signing(now)) == 204
    assert send(with_old, late.signing(now)) == 400
