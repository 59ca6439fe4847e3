import pytest
from pydantic import ValidationError

from jobs.languages import LANGUAGES, language_code
from jobs.options import MAX_METADATA_BYTES, MAX_SPEAKERS, JobOptions, TranscriptionOptions


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("en-US", "en"),
        ("pt_BR", "pt"),
        ("German", "de"),
        ("yue", "yue"),
    ],
)
def test_a_language_is_understood_as_code_name_or_locale(given: str, code: str) -> None:
    assert TranscriptionOptions(language=given).language == code


@pytest.mark.parametrize("given", ["", "xx", "klingon", "../etc", "e" * 100])
def test_an_unknown_language_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        TranscriptionOptions(language=given)


def test_every_language_is_found_by_its_own_code_and_name() -> None:
    for code, name in LANGUAGES.items():
        assert language_code(code) == code
        assert language_code(name) == code


@pytest.mark.parametrize("model", ["/etc/passwd", "someone/some-model", "..", "a\\b", ""])
def test_a_model_is_a_name_never_an_address(model: str) -> None:
    with pytest.raises(ValidationError):
        TranscriptionOptions(model=model)


def test_an_english_model_refuses_other_languages_and_translations() -> None:
    assert TranscriptionOptions(model="tiny.en", language="en").language == "en"
    with pytest.raises(ValidationError, match="English only"):
        TranscriptionOptions(model="tiny.en", language="de")
    with pytest.raises(ValidationError, match="cannot translate"):
        TranscriptionOptions(model="tiny.en", task="translate")


def test_fewer_speakers_at_most_than_at_least_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"min_speakers \(3\) is above max_speakers \(2\)"):
        TranscriptionOptions(min_speakers=3, max_speakers=2)


@pytest.mark.parametrize("count", [0, -1, MAX_SPEAKERS + 1])
def test_a_speaker_count_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(ValidationError):
        TranscriptionOptions(num_speakers=count)


def test_what_is_unknown_is_refused_so_that_a_typo_is_not_ignored() -> None:
    with pytest.raises(ValidationError, match="langauge"):
        JobOptions.model_validate({"langauge": "de"})


def test_metadata_has_a_limit() -> None:
    with pytest.raises(ValidationError, match="metadata is over"):
        JobOptions(metadata={"text": "x" * MAX_METADATA_BYTES})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_metadata_that_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="metadata must be plain JSON"):
        JobOptions.model_validate({"metadata": {"a": value}})
