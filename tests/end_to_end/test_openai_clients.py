"""OpenAI's own clients, for Python and for Node, use the service as they would use OpenAI."""

import io
import json
import shutil
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.audio import TranscriptionTextDeltaEvent, TranscriptionTextDoneEvent

from deploy.local.servers import LOOPBACK, free_ports
from deploy.local.stack import Stack
from jobs.key_files import hash_of
from tests import npm

PIECE = (6.6, 16.0)  # seconds of the sample call: both speakers
ENGLISH = "tiny.en"
NPM = Path(__file__).with_name("openai_npm")

Json = dict[str, Any]


@pytest.fixture(scope="module")
def media(call: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short piece of the sample call."""
    path = tmp_path_factory.mktemp("media") / "call.wav"
    with wave.open(str(call)) as whole, wave.open(str(path), "wb") as piece:
        piece.setparams(whole.getparams())
        start, end = (round(seconds * whole.getframerate()) for seconds in PIECE)
        whole.setpos(start)
        piece.writeframes(whole.readframes(end - start))
    return path


@pytest.fixture(scope="module")
def client(service: Stack) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{service.url}/v1", api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def locked(service: Stack) -> Iterator[str]:
    """The address of an API that asks for a key."""
    (port,) = free_ports(1)
    variables = {"API_PROCESSES": "1", "API_KEYS": f"ann:{hash_of('wl_annskey')}"}
    process = service.start_api(port=port, variables=variables)
    yield f"http://{LOOPBACK}:{port}/v1"
    process.stop()


def is_the_piece(text: str) -> bool:
    """Whether a text is what is said in the piece of the call."""
    return "hello" in text.lower() and len(text.split()) > 5


def test_the_text(client: OpenAI, media: Path) -> None:
    answer = client.audio.transcriptions.create(model=ENGLISH, file=media)

    assert is_the_piece(answer.text)
    assert answer.usage is not None
    assert answer.usage.type == "duration"
    assert answer.usage.seconds == pytest.approx(PIECE[1] - PIECE[0], abs=0.1)


@pytest.mark.parametrize("wanted", ["text", "srt", "vtt"])
def test_text_that_is_no_json(client: OpenAI, media: Path, wanted: Any) -> None:
    text: str = client.audio.transcriptions.create(
        model=ENGLISH, file=media, response_format=wanted
    )

    assert is_the_piece(text)
    assert (" --> " in text) is (wanted != "text")
    assert text.startswith("WEBVTT\n") is (wanted == "vtt")


def test_segments_and_words_with_their_numbers(client: OpenAI, media: Path) -> None:
    answer = client.audio.transcriptions.create(
        model=ENGLISH,
        file=media,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        language="en",
        prompt="A telephone call.",
        temperature=0,
    )

    assert answer.language == "english"
    assert answer.words
    assert answer.segments
    assert " ".join(word.word for word in answer.words) == answer.text
    edges = [edge for word in answer.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    for segment in answer.segments:
        assert 0 <= segment.start < segment.end <= answer.duration
        assert -2 < segment.avg_logprob < 0
        assert 0 <= segment.no_speech_prob <= 1
        assert 0 < segment.compression_ratio < 3
        assert segment.tokens == []


def test_who_said_what(client: OpenAI, media: Path) -> None:
    answer = client.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize",
        file=media,
        response_format="diarized_json",
        chunking_strategy="auto",
        known_speaker_names=["ann"],
        known_speaker_references=["data:audio/wav;base64,AAAA"],
    )

    assert answer.task == "transcribe"
    assert {segment.speaker for segment in answer.segments} == {"SPEAKER_00", "SPEAKER_01"}
    assert {segment.type for segment in answer.segments} == {"transcript.text.segment"}
    assert len({segment.id for segment in answer.segments}) == len(answer.segments)
    said = [each["message"].partition(":")[0] for each in (answer.model_extra or {})["warnings"]]
    assert said[-2:] == ["known_speaker_names", "known_speaker_references"]


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # says the client of its own
def test_a_translation(client: OpenAI, media: Path) -> None:
    answer = client.audio.translations.create(model="base", file=media)

    assert is_the_piece(answer.text)


@pytest.mark.parametrize("wanted", ["json", "diarized_json"])
def test_a_stream(client: OpenAI, media: Path, wanted: Any) -> None:
    with client.audio.transcriptions.create(
        model=ENGLISH, file=media, stream=True, response_format=wanted
    ) as stream:
        events = list(stream)

    deltas = [event.delta for event in events if isinstance(event, TranscriptionTextDeltaEvent)]
    done = events[-1]
    assert isinstance(done, TranscriptionTextDoneEvent)
    assert is_the_piece(done.text)
    assert "".join(deltas) == done.text
    speakers = {event.speaker for event in events if event.type == "transcript.text.segment"}
    assert len(speakers) == (2 if wanted == "diarized_json" else 0)


def test_models(client: OpenAI) -> None:
    ids = {model.id for model in client.models.list()}

    assert {"whisper-1", "large-v3", ENGLISH} <= ids
    assert client.models.retrieve("whisper-large-v3").created > 0
    with pytest.raises(openai.NotFoundError) as unknown:
        client.models.retrieve("gpt-9")
    assert unknown.value.code == "model_not_found"


def test_faults_are_the_clients_own_exceptions(client: OpenAI, media: Path, locked: str) -> None:
    transcribe = client.audio.transcriptions.create
    with pytest.raises(openai.NotFoundError) as unknown:
        transcribe(model="gpt-9", file=media)
    with pytest.raises(openai.BadRequestError) as undecodable:
        transcribe(model=ENGLISH, file=io.BytesIO(b"no media at all"))
    with pytest.raises(openai.BadRequestError) as wrong:
        transcribe(model=ENGLISH, file=media, temperature=7)
    with (
        OpenAI(base_url=locked, api_key="wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.audio.transcriptions.create(model=ENGLISH, file=media)

    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    assert undecodable.value.type == "invalid_request_error"
    assert undecodable.value.code == "unsupported_media"
    assert wrong.value.param == "temperature"


def test_a_fault_within_a_stream_is_raised(client: OpenAI) -> None:
    with (
        client.audio.transcriptions.create(
            model=ENGLISH, file=io.BytesIO(b"no media at all"), stream=True
        ) as stream,
        pytest.raises(openai.APIError) as raised,
    ):
        list(stream)

    assert raised.value.code == "unsupported_media"


# ---- Node


@pytest.fixture(scope="module")
def node(
    service: Stack, locked: str, media: Path, tmp_path_factory: pytest.TempPathFactory
) -> Json:
    """What the client for Node got for each of its calls."""
    folder = shutil.copytree(NPM, tmp_path_factory.mktemp("npm") / "client")
    npm.install(folder)
    command = [*npm.node(), "transcribe.mjs", f"{service.url}/v1", locked, str(media)]
    ran = npm.run(command, folder)
    assert ran.returncode == 0, ran.stderr
    found: Json = json.loads(ran.stdout)
    return found


def test_node_gets_every_format(node: Json) -> None:
    assert is_the_piece(node["json"]["text"])
    assert node["text"].strip() == node["json"]["text"]
    assert " --> " in node["srt"]
    assert node["vtt"].startswith("WEBVTT\n")
    assert node["verbose"]["language"] == "english"
    assert " ".join(word["word"] for word in node["verbose"]["words"]) == node["json"]["text"]
    assert {segment["speaker"] for segment in node["diarized"]["segments"]} == {
        "SPEAKER_00",
        "SPEAKER_01",
    }
    assert is_the_piece(node["translated"]["text"])


def test_node_gets_a_stream(node: Json) -> None:
    *deltas, done = node["streamed"]

    assert {event["type"] for event in deltas} == {"transcript.text.delta"}
    assert "".join(event["delta"] for event in deltas) == done["text"] == node["json"]["text"]


def test_node_finds_models(node: Json) -> None:
    assert {"whisper-1", "large-v3", ENGLISH} <= set(node["models"])
    assert node["model"]["id"] == "whisper-large-v3"


def test_node_gets_faults_as_its_own_errors(node: Json) -> None:
    assert node["unknownModel"] == {
        "name": "NotFoundError",
        "status": 404,
        "code": "model_not_found",
        "param": "model",
        "type": "invalid_request_error",
    }
    assert node["badMedia"]["name"] == "BadRequestError"
    assert node["badMediaStreamed"]["name"] == "APIError"
    for fault in (node["badMedia"], node["badMediaStreamed"]):
        assert (fault["code"], fault["type"]) == ("unsupported_media", "invalid_request_error")
    assert node["wrongKey"]["name"] == "AuthenticationError"


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((NPM / "package-lock.json").read_text())

    assert "http" not in (NPM / "package-lock.json").read_text()
    for name, package in lock["packages"].items():
        assert name == "" or package["integrity"].startswith("sha512-")
