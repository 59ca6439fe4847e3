"""The OpenAI audio API through the real front door: what is asked, answered and refused."""

import json
from collections.abc import Callable, Mapping

import httpx
import pytest
import redis

from api.key_ring import ANONYMOUS
from deploy.local.processes import Process
from jobs.job import Job
from jobs.listing import JobFilter, JobList
from jobs.store import JobStore

StartWorker = Callable[[], Process]

TRANSCRIPTIONS, TRANSLATIONS = "/v1/audio/transcriptions", "/v1/audio/translations"
SCRIPT = json.dumps({"say": "good morning"}).encode()


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def job(valkey: "redis.Redis", store: JobStore) -> Callable[[], Job]:
    """A function that returns the one job that there is."""

    def only() -> Job:
        (found,) = JobList(valkey, store).page(ANONYMOUS, JobFilter(), limit=50).jobs
        return found

    return only


def post(
    api: httpx.Client,
    fields: Mapping[str, str] | None = None,
    *,
    path: str = TRANSCRIPTIONS,
    media: bytes = SCRIPT,
) -> httpx.Response:
    return api.post(path, data=fields, files={"file": ("a.wav", media)})


def test_a_transcript_comes_as_json(api: httpx.Client, start_worker: StartWorker) -> None:
    start_worker()
    answer = post(api, {"model": "whisper-1"})

    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "text": "good morning",
        "usage": {"type": "duration", "seconds": 1.0},
    }


def test_the_fields_of_a_form_reach_the_job(
    api: httpx.Client, start_worker: StartWorker, job: Callable[[], Job]
) -> None:
    start_worker()
    fields = {"prompt": "Hello.", "temperature": "0.5", "response_format": "diarized_json"}
    answer = post(api, {"language": "de", **fields}, path=TRANSLATIONS)

    assert answer.status_code == 200, answer.text
    assert answer.json()["task"] == job().options.task == "translate"
    assert job().options.language == "de"
    assert job().options.initial_prompt == "Hello."
    assert job().options.temperature == 0.5
    assert job().options.diarize
    assert job().options.priority == "interactive"


@pytest.mark.parametrize(
    ("wanted", "content_type", "begins"),
    [
        ("text", "text/plain; charset=utf-8", "good morning\n"),
        ("srt", "application/x-subrip; charset=utf-8", "1\n00:00:00,000 --> "),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT\n\n00:00:00.000 --> "),
    ],
)
def test_text_comes_with_its_own_content_type(
    api: httpx.Client, start_worker: StartWorker, wanted: str, content_type: str, begins: str
) -> None:
    start_worker()
    answer = post(api, {"response_format": wanted})

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == content_type
    assert answer.text.startswith(begins)
    assert "SPEAKER" not in answer.text


def test_what_has_no_effect_is_said_in_a_header_and_in_json(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    start_worker()
    fields = {"include[]": "logprobs", "chunking_strategy": '{"type": "server_vad"}'}
    plain = post(api, {"response_format": "text"})
    text = post(api, {"response_format": "text", **fields})
    verbose = post(api, {"response_format": "verbose_json", **fields})

    assert "X-Options-Without-Effect" not in plain.headers
    assert text.headers["X-Options-Without-Effect"] == "chunking_strategy, include"
    messages = [warning["message"] for warning in verbose.json()["warnings"]]
    assert [message.partition(":")[0] for message in messages] == ["chunking_strategy", "include"]


def test_voices_to_compare_with_may_be_larger_than_all_other_fields(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    start_worker()
    voice = "data:audio/wav;base64," + "A" * (3 * 1024 * 1024)
    answer = post(
        api, {"known_speaker_references[]": voice, "prompt": "x", "response_format": "verbose_json"}
    )

    assert answer.status_code == 200, answer.text
    assert answer.json()["warnings"][0]["message"].startswith("known_speaker_references: ")


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"model": "gpt-9"}, 404, "model_not_found", "model"),
        ({"model": "openai/whisper-large-v3"}, 404, "model_not_found", "model"),
        ({"response_format": "docx"}, 400, "invalid_options", "response_format"),
        ({"temperature": "2"}, 400, "invalid_options", "temperature"),
        ({"language": "klingon"}, 400, "invalid_options", "language"),
        (
            {"timestamp_granularities[]": "letter"},
            400,
            "invalid_options",
            "timestamp_granularities",
        ),
        ({"model": "tiny.en", "language": "de"}, 400, "invalid_options", None),
    ],
)
def test_a_wrong_field_is_named_in_openais_shape(
    api: httpx.Client, fields: dict[str, str], status: int, code: str, param: str | None
) -> None:
    answer = post(api, fields)

    error = answer.json()["error"]
    assert answer.status_code == status
    assert answer.json().keys() == {"error"}
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, param)


def test_a_form_without_a_file_or_with_an_empty_one_is_refused(api: httpx.Client) -> None:
    missing = api.post(TRANSCRIPTIONS, files={"model": (None, "whisper-1")})
    empty = post(api, media=b"")
    json_body = api.post(TRANSCRIPTIONS, json={"model": "whisper-1"})

    assert [each.status_code for each in (missing, empty, json_body)] == [400, 400, 400]
    assert "'file'" in missing.json()["error"]["message"]
    assert (empty.json()["error"]["code"], empty.json()["error"]["param"]) == (
        "empty_media",
        "file",
    )


def test_an_english_only_model_cannot_translate(api: httpx.Client) -> None:
    answer = post(api, {"model": "tiny.en"}, path=TRANSLATIONS)

    assert answer.status_code == 400
    assert "cannot translate" in answer.json()["error"]["message"]


def test_media_that_cannot_be_read_is_the_clients_fault(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    start_worker()
    unsupported = post(api, media=b"no script")
    corrupt = post(api, media=json.dumps({"fail": "corrupt"}).encode())

    for answer, code in ((unsupported, "unsupported_media"), (corrupt, "corrupt_media")):
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == code
        assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_fault_of_the_service_may_be_tried_again_and_tells_nothing(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    start_worker()
    answer = post(api, media=json.dumps({"fail": "bug"}).encode())

    assert answer.status_code == 503
    assert answer.json()["error"]["type"] == "server_error"
    assert int(answer.headers["Retry-After"]) > 0
    assert "secret" not in answer.text
