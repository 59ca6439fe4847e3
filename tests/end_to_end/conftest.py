"""Run the whole service with its real models, once for all tests here."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.sample import sample_call
from deploy.local.stack import Ports, Stack

# One job at a time leaves a core to the rest; the tests are then slower and steadier.
FINAL = ("succeeded", "failed", "canceled")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Servers, API, housekeeper and a worker with tiny.en, base and the bundled diarizer."""
    running = Stack(
        directory=tmp_path_factory.mktemp("service"), ports=Ports.free(), outlives_us=False
    )
    try:
        running.start_servers()
        # The documents' examples name addresses that nobody may call: no courier takes them on.
        running.start_programs(with_flower=False, with_courier=False)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def http(service: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=120) as client:
        yield client


@pytest.fixture(scope="session")
def transcribed(http: httpx.Client) -> Callable[..., dict[str, Any]]:
    """A function that sends media through the service and returns the job as it ended."""

    def send(
        media: Path | bytes, *, name: str | None = None, within_seconds: float = 240, **options: str
    ) -> dict[str, Any]:
        content = media if isinstance(media, bytes) else media.read_bytes()
        shown = name or (media.name if isinstance(media, Path) else "media")
        answer = http.post("/v1/jobs", data=options, files={"file": (shown, content)})
        assert answer.status_code == 202, answer.text
        deadline = time.monotonic() + within_seconds
        while True:
            job: dict[str, Any] = http.get(
                f"/v1/jobs/{answer.json()['id']}", params={"wait": 20}
            ).json()
            if job["status"] in FINAL:
                return job
            assert time.monotonic() < deadline, job

    return send


@pytest.fixture(scope="session")
def call() -> Path:
    """The 30 s call that ships inside pyannote-audio; its references lie beside it."""
    return sample_call()
