"""Faults that were measured in the service that this one replaces, where no other file has them.

Options in form fields, the detected language, failed stages, formats refused too late, and NaN are
in test_asr.py; hang-ups in test_asr_holding.py; the queue's limit in test_limits.py; health while a
job is decoded in test_health.py; memory in test_large_upload.py; models that are listed and refused
in test_openai_models.py; mixed prompts in test_recognizing.py; cut times in test_subtitles.py.
"""

import json
from collections.abc import Callable

import httpx
import pysubs2
import pytest
import redis

from deploy.local.processes import Process
from pipeline.settings import PipelineSettings

StartWorker = Callable[..., Process]


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


def half_a_minute_of_speech() -> dict[str, object]:
    words = [
        {"word": f"word{number}", "start": number * 0.5, "end": number * 0.5 + 0.4}
        for number in range(60)
    ]
    text = " ".join(str(word["word"]) for word in words)
    segment = {"id": 0, "start": 0.0, "end": 30.0, "text": text, "words": words}
    return {"text": text, "language": "en", "duration": 30.0, "segments": [segment]}


@pytest.mark.parametrize("response_format", ["srt", "vtt"])
def test_subtitles_for_openais_clients_have_cues_that_can_be_read(
    api: httpx.Client, start_worker: StartWorker, response_format: str
) -> None:
    start_worker()
    media = json.dumps({"transcript": half_a_minute_of_speech()}).encode()

    answer = api.post(
        "/v1/audio/transcriptions",
        data={"model": "whisper-1", "response_format": response_format},
        files={"file": ("talk.wav", media)},
        timeout=60,
    )

    assert answer.status_code == 200, answer.text
    cues = pysubs2.SSAFile.from_string(answer.text, format_=response_format)
    assert len(cues) >= 5
    assert all(cue.duration <= 7_000 for cue in cues)
    assert all(len(line) <= 42 for cue in cues for line in cue.plaintext.split("\n"))


def test_an_empty_preload_model_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRELOAD_MODEL", "")
    empty = PipelineSettings()
    monkeypatch.delenv("PRELOAD_MODEL")

    assert empty == PipelineSettings()
    assert empty.preload_model is None
