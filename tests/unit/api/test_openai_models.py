"""Every model that is listed can be asked for, on every route that takes one."""

from datetime import UTC, datetime

import pytest
from flask import Flask, request

from api.asr_options import AsrFields
from api.drop_in_fields import Asked as DropInAsked
from api.model_names import OPENAI_MODELS
from api.models import listed
from api.openai_options import Asked
from api.settings import ApiSettings
from jobs.options import WHISPER_MODELS, Task
from jobs.request_errors import UnknownModel

SETTINGS = ApiSettings.model_validate(
    {"allowed_models": ("house-style", "large-v3"), "openai_whisper1_model": "large-v3-turbo"}
)
LISTED = {model.id: model for model in listed(SETTINGS)}


@pytest.mark.parametrize("model", LISTED)
def test_a_listed_model_is_taken_by_asr_and_by_the_openai_routes(model: str) -> None:
    with Flask("test").test_request_context("/", query_string={"model": model}):
        drop_in = DropInAsked(AsrFields, request, SETTINGS)  # refuses an unknown one
        options = Asked(request, SETTINGS, Task.TRANSCRIBE).read({"model": [model]})

    assert drop_in.fields.model == model
    assert options.model in SETTINGS.models


def test_a_model_that_is_not_listed_is_refused_by_both() -> None:
    with Flask("test").test_request_context("/", query_string={"model": "huge"}):
        with pytest.raises(UnknownModel):
            DropInAsked(AsrFields, request, SETTINGS)
        with pytest.raises(UnknownModel):
            Asked(request, SETTINGS, Task.TRANSCRIBE).read({"model": ["huge"]})


def test_the_list_is_complete_and_names_nothing_twice() -> None:
    ids = [model.id for model in listed(SETTINGS)]

    assert len(ids) == len(set(ids))
    assert set(ids) == {*WHISPER_MODELS, "house-style", *OPENAI_MODELS}


def test_openais_names_are_not_listed_where_they_mean_no_model_of_this_service() -> None:
    settings = ApiSettings.model_validate({"openai_whisper1_model": "mine"})

    assert {model.id for model in listed(settings)} == {*WHISPER_MODELS}


def test_a_model_was_created_when_its_weights_were_published() -> None:
    day = {name: datetime.fromtimestamp(LISTED[name].created, UTC).date() for name in LISTED}

    assert str(day["tiny.en"]) == "2022-09-21"
    assert str(day["large-v3"]) == str(day["large"]) == "2023-11-06"
    assert day["whisper-1"] == day["large-v3-turbo"] == day["turbo"]
    assert LISTED["house-style"].created == 0


def test_a_model_is_owned_by_who_trained_it() -> None:
    owners = {name: LISTED[name].owned_by for name in ("tiny", "distil-large-v3", "house-style")}

    assert owners == {
        "tiny": "openai",
        "distil-large-v3": "distil-whisper",
        "house-style": "local",
    }
