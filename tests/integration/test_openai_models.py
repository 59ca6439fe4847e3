"""The list of models, as OpenAI's clients ask for it."""

import httpx
import pytest


def test_models_are_listed_and_looked_up(api: httpx.Client) -> None:
    listed = api.get("/v1/models").json()
    ids = [model["id"] for model in listed["data"]]
    large = api.get("/v1/models/large-v3").json()
    alias = api.get("/v1/models/whisper-large-v3").json()

    assert listed["object"] == "list"
    assert {"whisper-1", "gpt-4o-transcribe-diarize", "large-v3", "turbo", "tiny.en"} <= {*ids}
    assert large in listed["data"]
    assert large["object"] == "model"
    assert alias == large | {"id": "whisper-large-v3"}
    assert large["created"] > 1_600_000_000


@pytest.mark.parametrize("model", ["gpt-9", "openai/whisper-large-v3", "whisper-gpt-9"])
def test_a_model_that_is_not_there_is_not_found(api: httpx.Client, model: str) -> None:
    answer = api.get(f"/v1/models/{model}")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"
    assert answer.json()["error"]["param"] == "model"
