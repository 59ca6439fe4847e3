"""What passes by itself, `/asr` tells in a way that lets its clients send again."""

from collections.abc import Callable
from contextlib import ExitStack

import httpx
import pytest
import redis

from api.job_faults import PERMANENT_WORDS
from deploy.local.processes import Process
from deploy.local.servers import free_ports
from tests.integration.asr_requests import SCRIPT, asr, held
from tests.integration.second_api import SecondApi

StartSecondApi = Callable[..., SecondApi]
StartWorker = Callable[[], Process]


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


def assert_worth_another_try(answer: httpx.Response, *, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json().keys() == {"detail"}
    assert not any(words in answer.text.lower() for words in PERMANENT_WORDS), answer.text


def test_a_bug_may_be_gone_next_time_and_tells_nothing_of_itself(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    start_worker()

    answer = asr(api, b'{"fail": "bug"}')

    assert_worth_another_try(answer, status=503)
    assert "secret detail" not in answer.text


def test_a_full_queue_is_worth_another_try(start_second_api: StartSecondApi) -> None:
    second = start_second_api(MAX_QUEUED_PER_OWNER="1")
    first = httpx.post(f"{second.url}/v1/jobs", files={"file": ("a.wav", SCRIPT)})
    assert first.status_code == 202

    assert_worth_another_try(asr(second.url), status=429)


def test_too_many_requests_are_worth_another_try(start_second_api: StartSecondApi) -> None:
    second = start_second_api(REQUESTS_PER_MINUTE="1")
    assert httpx.get(f"{second.url}/v1/jobs").status_code == 200

    assert_worth_another_try(asr(second.url), status=429)


@pytest.mark.parametrize("variable", ["REDIS_URL", "S3_ENDPOINT_URL"])
def test_a_store_that_is_away_is_worth_another_try(
    start_second_api: StartSecondApi, variable: str
) -> None:
    (nobody,) = free_ports(1)
    scheme = "redis" if variable == "REDIS_URL" else "http"
    second = start_second_api(**{variable: f"{scheme}://127.0.0.1:{nobody}"})

    assert_worth_another_try(asr(second.url), status=503)


def test_more_clients_than_there_are_places_are_told_to_come_again(
    start_second_api: StartSecondApi,
) -> None:
    second = start_second_api(API_THREADS="24", HEARTBEAT_SECONDS="0.1")  # half of them may wait
    with ExitStack() as waiting:
        for number in range(12):
            answer = waiting.enter_context(held(second.url, SCRIPT + b" " * number))
            assert answer.status_code == 200

        assert_worth_another_try(asr(second.url), status=503)
