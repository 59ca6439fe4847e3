"""What a client of the OpenAI audio API asks for."""

import pytest
from flask import Flask, request

from api.openai_options import Asked, OpenAIFields, ResponseFormat
from api.settings import ApiSettings
from jobs.options import MAX_PROMPT_CHARACTERS, JobOptions, Priority, Task
from jobs.request_errors import InvalidOptions, UnknownModel

Form = dict[str, list[str]]


def asked(form: Form, *, task: Task = Task.TRANSCRIBE, **settings: str) -> JobOptions:
    with Flask("test").test_request_context("/"):
        return Asked(request, ApiSettings.model_validate(settings), task).read(form)


def fields(**form: str) -> OpenAIFields:
    return OpenAIFields.model_validate({name: [text] for name, text in form.items()})


def test_a_form_without_fields_asks_for_the_text_of_the_default_model() -> None:
    options = asked({})

    assert options == JobOptions(
        diarize=False, word_timestamps=False, priority=Priority.INTERACTIVE
    )


def test_the_fields_reach_the_job() -> None:
    options = asked(
        {
            "model": ["large-v3"],
            "language": ["german"],
            "prompt": ["Guten Tag"],
            "hotwords": ["Whisperline"],
            "keywords[]": ["Valkey", "SeaweedFS"],
            "temperature": ["0.4"],
            "user": ["ignored"],
        },
        task=Task.TRANSLATE,
    )

    assert options == JobOptions(
        task=Task.TRANSLATE,
        model="large-v3",
        language="de",
        initial_prompt="Guten Tag",
        hotwords="Whisperline, Valkey, SeaweedFS",
        temperature=0.4,
        diarize=False,
        word_timestamps=False,
        priority=Priority.INTERACTIVE,
    )


def test_an_empty_field_is_one_that_was_not_sent() -> None:
    assert asked({"model": [""], "language": [" "], "temperature": [""]}) == asked({})


@pytest.mark.parametrize(
    "name", ["timestamp_granularities", "timestamp_granularities[]", "timestamp_granularities[0]"]
)
def test_a_list_may_be_spelled_with_brackets_or_without(name: str) -> None:
    form = {"response_format": ["verbose_json"], name: ["segment", "word"]}

    assert OpenAIFields.model_validate(form).timestamp_granularities == ("segment", "word")
    assert OpenAIFields.model_validate(form).has_words
    assert asked(form).word_timestamps


@pytest.mark.parametrize(
    ("form", "speakers"),
    [
        ({"response_format": "json"}, False),
        ({"response_format": "diarized_json"}, True),
        ({"response_format": "diarized_json", "diarize": "false"}, True),
        ({"response_format": "srt", "diarize": "true"}, True),
        ({"model": "gpt-4o-transcribe-diarize"}, True),
        ({"model": "gpt-4o-transcribe-diarize", "diarize": "false"}, False),
    ],
)
def test_speakers_are_told_apart_only_when_asked_for(form: dict[str, str], speakers: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    options = asked({name: [text] for name, text in form.items()})

    assert options.diarize is speakers


@pytest.mark.parametrize(
    ("wanted", "words"),
    [("json", False), ("text", False), ("verbose_json", False), ("srt", True), ("vtt", True)],
)
def test_word_times_are_made_where_they_are_used(wanted: str, words: bool) -> None:  # noqa: FBT001
    assert asked({"response_format": [wanted]}).word_timestamps is words


def test_only_the_end_of_a_long_prompt_counts_as_with_whisper() -> None:
    prompt = "begin" + "x" * MAX_PROMPT_CHARACTERS + "end"

    kept = asked({"prompt": [prompt]}).initial_prompt

    assert kept is not None
    assert prompt.endswith(kept)
    assert len(kept) == MAX_PROMPT_CHARACTERS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("response_format", "docx"),
        ("language", "klingon"),
        ("temperature", "1.5"),
        ("temperature", "nan"),
        ("stream", "perhaps"),
        ("diarize", "perhaps"),
        ("timestamp_granularities[]", "letter"),
        ("chunking_strategy", "coarse"),
        ("chunking_strategy", "[]"),
        ("hotwords", "x" * (MAX_PROMPT_CHARACTERS + 1)),
    ],
)
def test_a_wrong_value_is_refused_with_the_name_of_its_field(name: str, text: str) -> None:
    with pytest.raises(InvalidOptions) as refused:
        asked({name: [text]})

    assert refused.value.problems[0][0].split("/")[1] == name.removesuffix("[]")


@pytest.mark.parametrize(
    "model", ["huge", "openai/whisper-large-v3", "../../etc/passwd", "whisper-huge", "x" * 500]
)
def test_what_is_no_model_here_is_unknown_whatever_it_looks_like(model: str) -> None:
    with pytest.raises(UnknownModel):
        asked({"model": [model]})


def test_openais_names_mean_what_the_operator_chose() -> None:
    form = {"model": ["whisper-1"]}

    assert asked(form).model is None
    assert asked(form, openai_whisper1_model="small").model == "small"
    assert asked({"model": ["whisper-large-v3"]}).model == "large-v3"


@pytest.mark.parametrize(
    ("form", "named"),
    [
        ({"chunking_strategy": "auto", "language": "en"}, ()),
        ({"chunking_strategy": '{"type": "server_vad"}'}, ("chunking_strategy",)),
        ({"chunking_strategy[type]": "server_vad"}, ("chunking_strategy",)),
        ({"include[]": "logprobs"}, ("include",)),
        ({"timestamp_granularities[]": "word"}, ("timestamp_granularities",)),
        (
            {"known_speaker_names[]": "ann", "known_speaker_references[]": "data:,"},
            ("known_speaker_names", "known_speaker_references"),
        ),
        ({"response_format": "srt"}, ()),
        ({"response_format": "srt", "stream": "true"}, ("response_format",)),
        ({"response_format": "diarized_json", "stream": "true"}, ()),
        ({"languages[]": "de"}, ()),
    ],
)
def test_fields_without_an_effect_are_named(form: dict[str, str], named: tuple[str, ...]) -> None:
    assert fields(**form).without_effect == named


def test_one_language_of_a_list_is_taken_and_several_are_not() -> None:
    several = {"languages[]": ["de", "fr"]}

    assert asked({"languages[]": ["de"]}).language == "de"
    assert asked(several).language is None
    assert OpenAIFields.model_validate(several).without_effect == ("languages",)


def test_every_format_has_a_name() -> None:
    assert {*ResponseFormat} == {"json", "text", "srt", "vtt", "verbose_json", "diarized_json"}
