"""What the OpenAPI document says is what the API does."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from openapi_spec_validator import validate

from api.key_ring import ANONYMOUS
from deploy.local.processes import Process
from jobs.key_files import hash_of
from tests.integration.second_api import SecondApi

CONFIG = Path(__file__).parents[1] / "schemathesis.toml"
KEY = "wl_contract_000000000000000000000000000"
# `make fuzz` sets it; without it the run is short, and the same each time.
EXAMPLES = os.environ.get("FUZZ_EXAMPLES")
SHORT = ("--max-examples", "12", "--seed", "20261122")
# Schemathesis 4.32 cannot hold some of the binary parts that it made against its own schema.
OWN_ERROR = "ValueError: Unsupported type: 'Binary'"
StartSecondApi = Callable[..., SecondApi]
StartWorker = Callable[..., Process]


def fuzzed(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(CONFIG)),
            *("run", f"{url}/openapi.json", "--checks", "all", "--continue-on-failure"),
            *("--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all"),
            *(("--max-examples", EXAMPLES) if EXAMPLES else SHORT),
            *("--no-color", *arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=3600 if EXAMPLES else 280,
    )


@pytest.mark.parametrize("key", [None, KEY])
def test_no_call_answers_what_the_document_does_not_say(
    start_second_api: StartSecondApi, start_worker: StartWorker, key: str | None
) -> None:
    keys = f"fuzz:{hash_of(KEY)}" if key else ""
    api = start_second_api(
        API_KEYS=keys, ALLOW_ANONYMOUS="true", REQUESTS_PER_MINUTE="0", HEARTBEAT_SECONDS="5"
    )
    start_worker()

    run = fuzzed(api.url, *(("--header", f"X-API-Key: {key}") if key else ()))

    sys.stdout.write(run.stdout[-1500:])
    assert "Failures:" not in run.stdout, run.stdout[-8000:]
    errors = set(re.findall(r"^\s*(\w+(?:Error|Exception): .*)$", run.stdout, flags=re.MULTILINE))
    assert errors <= {OWN_ERROR}, run.stdout[-8000:]
    assert errors or run.returncode == 0, run.stdout[-8000:]
    generated = re.search(r"(\d+) generated", run.stdout)
    assert generated is not None
    assert int(generated.group(1)) > 1000


def test_the_document_is_valid_openapi_3_1_and_names_every_route(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()

    validate(document)
    assert document["openapi"].startswith("3.1")
    assert "/v1/jobs/{job_id}/events" in document["paths"]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], (method, path)
            assert ANONYMOUS not in str(operation)


def test_the_docs_are_readable_without_any_other_address(api: httpx.Client) -> None:
    page = api.get("/docs")

    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) >= 4
    for link in links:
        assert "//" not in link
        assert api.get(f"/{link}").status_code == 200, link
    assert api.get("/docs/../app.py").status_code == 404
    assert api.get("/docs/%2e%2e/plugins.py").status_code == 404
