"""The courier as it runs: a process of its own that may be killed at any moment."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis
from pydantic import SecretStr

from deploy.local.processes import Process, start, wait_until
from deploy.local.servers import Valkey, free_ports
from deploy.local.stack import ROOT, Stack
from jobs import redis_client
from jobs.delivery import Delivery
from jobs.event import Event
from jobs.ids import new_id
from jobs.queue import WEBHOOKS
from jobs.redis_client import texts
from jobs.settings import StoreSettings
from jobs.webhook import EventType
from tests.integration.post_office import PostOffice
from tests.integration.second_api import SecondApi
from tests.integration.webhook_receiver import Receiver, Says

HEAVY = ("torch", "whisperx", "pyannote", "faster_whisper", "ctranslate2", "/av/", "numpy")


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def start_courier(stack: Stack) -> Iterator[Callable[[], Process]]:
    """A function that starts one more courier; all are stopped after the test."""
    started: list[Process] = []

    def begin() -> Process:
        name = f"courier-{len(stack.processes)}"
        process = stack.start(
            name,
            [sys.executable, "-m", "worker", "courier"],
            variables={"ALLOW_PRIVATE_ADDRESSES": "true", "COURIER_NAME": f"{name}@test"},
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.stop(within_seconds=5)


def test_the_whole_service_tells_a_job_and_a_stranger_can_verify_it(
    start_second_api: Callable[..., SecondApi],
    start_worker: Callable[[], Process],
    start_courier: Callable[[], Process],
    receiver: Receiver,
) -> None:
    api = start_second_api(ALLOW_PRIVATE_ADDRESSES="true")
    start_worker()
    start_courier()
    events = ["job.started", "job.progress", "job.succeeded"]
    webhook = json.dumps({"url": f"{receiver.url}?token=secret", "events": events})
    with httpx.Client(base_url=api.url, timeout=30) as http:
        secret = http.get("/v1/webhooks/secret").json()["secret"]
        job = http.post(
            "/v1/jobs",
            data={"webhook": webhook, "external_id": "mine"},
            files={"file": ("call.wav", b'{"seconds": 6}')},
        ).json()

        calls = receiver.wait_for(3)

        told = [call.verified(secret) for call in calls]
        assert {each["type"] for each in told} == set(events)
        ended = next(each for each in told if each["type"] == "job.succeeded")
        assert ended["data"]["id"] == job["id"]
        assert ended["data"]["external_id"] == "mine"
        link = ended["data"]["links"]["transcript"]
        assert http.get(link, params={"format": "txt"}).status_code == 200
        shown = http.get(f"/v1/jobs/{job['id']}").json()
        assert "token" not in json.dumps(shown)
    assert calls[0].path == "/hook?token=secret"


def test_a_courier_has_no_models_in_its_process(
    start_courier: Callable[[], Process], receiver: Receiver, office: PostOffice
) -> None:
    courier = start_courier()
    office.endpoint(receiver.url)
    office.happens()
    receiver.wait_for(1)

    mapped = {entry.path for entry in psutil.Process(courier.pid).memory_maps()}
    assert mapped
    assert [path for path in mapped if any(name in path for name in HEAVY)] == []


def age(office: PostOffice, host: str) -> None:
    """Make as if a courier had died a while ago, instead of waiting for 45 s."""
    sent = f"whisperline:sent:{WEBHOOKS}:{host}"
    for delivery_id in texts(office.client.zrange(sent, 0, -1)):
        office.client.zadd(sent, {delivery_id: 1})
        row = office.client.get(f"whisperline:delivery:{delivery_id}")
        held = Delivery.model_validate_json(str(row))
        freed = held.model_copy(update={"held_until": None})
        office.client.set(f"whisperline:delivery:{delivery_id}", freed.model_dump_json())


def test_a_courier_killed_in_the_middle_of_its_calls_loses_and_doubles_nothing(
    start_courier: Callable[[], Process], receiver: Receiver, office: PostOffice
) -> None:
    never = threading.Event()
    receiver.says = lambda number: Says(waits_for=never)
    office.endpoint(receiver.url)
    events = {office.happens(job_id=f"job_{number}").id for number in range(12)}
    first = start_courier()
    receiver.wait_for(4)
    first.kill()
    receiver.says = lambda number: Says()
    never.set()
    age(office, receiver.url.split("/")[2])

    start_courier()
    receiver.wait_for(len(events) + 4)

    assert set(receiver.ids) == events
    repeated = [each for each in set(receiver.ids) if receiver.ids.count(each) > 1]
    assert set(repeated) <= set(receiver.ids[:4])  # only what was under way, under its own id
    wait_until_delivered(office, 12)


def wait_until_delivered(office: PostOffice, count: int) -> None:
    SecondApi.wait_until(lambda: office.deliveries.counts().get("delivered") == count)


def test_a_courier_told_to_stop_lets_its_calls_end(
    start_courier: Callable[[], Process], receiver: Receiver, office: PostOffice
) -> None:
    go_on = threading.Event()
    receiver.says = lambda number: Says(waits_for=go_on)
    office.endpoint(receiver.url)
    office.happens()
    courier = start_courier()
    receiver.wait_for(1)

    psutil.Process(courier.pid).terminate()
    go_on.set()
    SecondApi.wait_until(lambda: not courier.is_alive())

    assert office.deliveries.counts()["delivered"] == 1
    assert len(receiver.calls) == 1


def test_ten_thousand_pending_deliveries_survive_a_killed_valkey(
    tmp_path: Path, stack: Stack, settings: StoreSettings, receiver: Receiver
) -> None:
    (port,) = free_ports(1)
    server = Valkey(directory=tmp_path / "valkey", port=port, password="for-this-test")
    client = redis_client.connect(server.url)

    def run() -> Process:
        process = start(
            "own-valkey",
            server.command(),
            environment=dict(stack.environment),
            logs=tmp_path,
            directory=ROOT,
            outlives_us=False,
        )
        wait_until(lambda: is_up(client), process, within_seconds=30)
        return process

    process = run()
    try:
        own = settings.model_copy(update={"redis_url": SecretStr(server.url)})
        office = PostOffice(client, own)
        told = [an_event(office, number) for number in range(10_000)]
        for begin in range(0, len(told), 500):
            office.deliveries.add(
                [
                    Delivery.of(event, url=receiver.url, endpoint_id=None)
                    for event in told[begin : begin + 500]
                ]
            )
        process.kill()
        SecondApi.wait_until(lambda: not process.is_alive())
        process = run()

        assert office.deliveries.pending() == 10_000
        office.courier.make_round()
        for _ in range(10):
            for delivery_id in office.messages():
                office.deliverer.attempt(delivery_id)
        assert receiver.ids == [event.id for event in told[: len(receiver.ids)]]
        assert len(receiver.ids) >= 40
        assert office.deliveries.pending() == 10_000 - len(receiver.ids)
    finally:
        client.close()
        process.stop(within_seconds=5)


def an_event(office: PostOffice, number: int) -> Event:
    office.clock.pass_(seconds=0.001)
    moment = office.clock.moment
    data: dict[str, Any] = {"id": f"job_{number}"}
    return Event(
        id=new_id("evt", moment), type=EventType.JOB_SUCCEEDED, owner="ann", at=moment, data=data
    )


def is_up(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
