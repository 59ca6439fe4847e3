"""What a client of the drop-in routes asks for, in whichever of its ways."""

import pytest
from flask import Flask, request

from api.asr_options import AsrFields
from api.detection import DetectionFields
from api.drop_in_fields import Asked, DropInFields, described
from api.raw_pcm import WAV_HEADER
from api.settings import ApiSettings
from jobs.errors import RequestError
from jobs.options import Channels, JobOptions, Priority, Task
from jobs.request_errors import InvalidOptions, UnknownModel
from tests.unit.api.drop_in_requests import FILE, Parts, sent


def options(query: str = "", parts: Parts | None = None) -> JobOptions:
    return sent(query, parts)[1].options


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("task", "translate", Task.TRANSLATE),
        ("language", "de", "de"),
        ("language", "German", "de"),
        ("initial_prompt", "Speakr is an app.", "Speakr is an app."),
        ("hotwords", "Speakr,CTranslate2", "Speakr,CTranslate2"),
        ("word_timestamps", "false", False),
        ("model", "tiny", "tiny"),
        ("num_speakers", "2", 2),
        ("min_speakers", "2", 2),
        ("max_speakers", "5", 5),
        ("diarize", "false", False),
        ("return_speaker_embeddings", "True", True),
        ("channels", "separate", Channels.SEPARATE),
        ("clip_start", "1.5", 1.5),
        ("clip_end", "9", 9.0),
    ],
)
def test_every_option_counts_in_the_query_and_in_the_form(
    name: str, text: str, value: object
) -> None:
    assert getattr(options(), name) != value
    assert getattr(options(f"{name}={text}"), name) == value
    assert getattr(options("", [(name, text)]), name) == value
    assert getattr(options("", [(FILE, "bytes"), (name, text)]), name) == value


def test_the_form_wins_over_the_query_and_the_last_over_the_others() -> None:
    assert options("language=de", [("language", "fr")]).language == "fr"
    assert options("language=de&language=it").language == "it"
    assert options("", [("language", "fr"), (FILE, "bytes"), ("language", "es")]).language == "es"


def test_what_is_empty_is_unset_and_hides_nothing() -> None:
    everything = "&".join(f"{name}=" for name in AsrFields.model_fields)

    assert options(everything) == options()
    assert options("language=de", [("language", "")]).language == "de"


def test_what_is_unknown_is_ignored() -> None:
    assert options("vad_filter=true&video_file=a.mkv&temperature=9", [("x", "y")]) == options()


def test_somebody_waits_so_the_job_is_urgent() -> None:
    assert options().priority is Priority.INTERACTIVE


@pytest.mark.parametrize(
    ("query", "is_on"),
    [
        ("", True),
        ("diarize=true", True),
        ("diarize=false", False),
        ("enable_diarization=false", False),
        ("diarize=false&enable_diarization=true", True),
        ("diarize=true&enable_diarization=false", True),
        ("diarize=false&enable_diarization=false", False),
        ("encode=true", True),
        ("encode=false", False),
        ("encode=false&diarize=true", True),
        ("encode=false&enable_diarization=true", True),
        ("encode=false&diarize=false", False),
    ],
)
def test_speakers_are_told_apart_unless_nobody_wants_it(query: str, is_on: bool) -> None:  # noqa: FBT001
    assert options(query).diarize is is_on


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("large-v3", "large-v3"),
        ("whisper-large-v3", "large-v3"),
        ("whisper-tiny.en", "tiny.en"),
        ("distil-large-v3", "distil-large-v3"),
        ("turbo", "turbo"),
        ("house-model", "house-model"),
        ("whisper-1", "small"),
        ("gpt-4o-transcribe", "small"),
        ("gpt-4o-mini-transcribe", "small"),
        ("gpt-4o-transcribe-diarize", "small"),
    ],
)
def test_a_model_goes_by_each_of_its_names(name: str, model: str) -> None:
    assert options(f"model={name}").model == model


@pytest.mark.parametrize(
    ("query", "shape", "is_bare"),
    [
        ("", "json", False),
        ("output_format=srt", "srt", False),
        ("output=srt", "srt", True),
        ("output=SRT", "srt", True),
        ("output=vtt&output_format=json", "vtt", True),
        ("output=json&output_format=srt", "json", False),
        ("output_format=text", "text", False),
        ("output=txt", "txt", True),
        ("output_format=tsv&output=", "tsv", False),
    ],
)
def test_output_wins_and_is_the_bare_text(query: str, shape: str, is_bare: bool) -> None:  # noqa: FBT001
    fields, _, _ = sent(query)

    assert fields.shape(prefers_text=False) == shape
    assert fields.is_bare(prefers_text=False) is is_bare


@pytest.mark.parametrize(
    ("query", "shape", "is_bare"),
    [
        ("output_format=srt", "srt", True),
        ("output_format=json", "json", False),
        ("", "txt", True),
    ],
)
def test_who_accepts_plain_text_gets_the_bare_text(query: str, shape: str, is_bare: bool) -> None:  # noqa: FBT001
    fields, _, _ = sent(query)

    assert fields.shape(prefers_text=True) == shape
    assert fields.is_bare(prefers_text=True) is is_bare


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("output", "rttm"),
        ("output", "pdf"),
        ("output_format", "docx"),
        ("task", "detect_language"),
        ("task", "sing"),
        ("language", "klingon"),
        ("model", "huge"),
        ("model", "someone/some-model"),
        ("model", "../../etc/passwd"),
        ("num_speakers", "0"),
        ("min_speakers", "many"),
        ("word_timestamps", "perhaps"),
        ("diarize", "perhaps"),
        ("encode", "perhaps"),
        ("clip_start", "nan"),
    ],
)
def test_what_is_wrong_is_refused_by_name_wherever_it_stands(name: str, text: str) -> None:
    for query, parts in ((f"{name}={text}", None), ("", [(name, text)])):
        with pytest.raises(RequestError, match=name) as refused:
            sent(query, parts)
        assert isinstance(refused.value, InvalidOptions | UnknownModel)


@pytest.mark.parametrize(
    "query",
    ["min_speakers=3&max_speakers=2", "model=tiny.en&language=de", "clip_start=5&clip_end=3"],
)
def test_options_that_contradict_each_other_are_refused(query: str) -> None:
    with pytest.raises(InvalidOptions):
        options(query)


def test_a_wrong_query_is_refused_before_the_body_is_read() -> None:
    settings = ApiSettings()
    with (
        Flask(__name__).test_request_context("/asr?language=klingon", method="POST"),
        pytest.raises(InvalidOptions, match="klingon"),
    ):
        Asked(AsrFields, request, settings)


def test_detecting_a_language_is_a_job_that_does_nothing_else() -> None:
    query = "encode=false&model=whisper-base&task=translate&diarize=true"
    _, received, content = sent(query, kind=DetectionFields)

    assert received.options == JobOptions(
        task=Task.DETECT_LANGUAGE,
        model="base",
        diarize=False,
        word_timestamps=False,
        priority=Priority.INTERACTIVE,
    )
    assert content.startswith(WAV_HEADER)


@pytest.mark.parametrize("kind", [AsrFields, DetectionFields])
def test_what_is_documented_refers_to_nothing_that_is_not_there(kind: type[DropInFields]) -> None:
    operation = described(kind)

    assert "$ref" not in str(operation)
    assert {each["name"] for each in operation["parameters"]} == set(kind.model_fields)
