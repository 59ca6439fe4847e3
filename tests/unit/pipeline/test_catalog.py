import fnmatch
import tomllib
from importlib.resources import files

import pytest
from pydantic import ValidationError

from jobs.options import WHISPER_MODELS
from jobs.request_errors import InvalidOptions
from pipeline.catalog import Kind, catalog, read


def test_every_name_a_client_may_send_is_in_the_catalog() -> None:
    for name in WHISPER_MODELS:
        assert catalog().model(name).kind is Kind.WHISPER


def test_an_alias_is_another_name_of_the_same_model() -> None:
    assert catalog().model("turbo") is catalog().model("large-v3-turbo")
    assert catalog().model("large") is catalog().model("large-v3")


@pytest.mark.parametrize("name", ["tiny.en", "base", "segmentation-3.0", "campplus"])
def test_what_works_out_of_the_box_needs_no_hub(name: str) -> None:
    model = catalog().model(name)

    paths = {file.path for file in model.wheel_files}
    for pattern in model.required:
        assert fnmatch.filter(paths, pattern)


def test_the_weights_of_the_wheel_are_the_hubs_own_where_they_are_the_same() -> None:
    for name, file in (("tiny.en", "model.bin"), ("segmentation-3.0", "pytorch_model.bin")):
        model = catalog().model(name)
        (of_the_wheel,) = (f.sha256 for f in model.wheel_files if f.path == file)

        assert model.hub is not None
        assert model.hub.sha256[file] == of_the_wheel


def test_an_unknown_name_is_answered_with_those_that_exist() -> None:
    with pytest.raises(InvalidOptions, match=r"tiny\.en, tiny, base\.en") as refusal:
        catalog().model("../../etc/passwd")

    assert refusal.value.problems[0][0] == "/model"


def test_a_language_has_an_aligner_or_none() -> None:
    german = catalog().aligner("de")

    assert german is not None
    assert german.bundle == "VOXPOPULI_ASR_BASE_10K_DE"
    assert german.required == ("wav2vec2_voxpopuli_base_10k_asr_de.pt",)
    assert catalog().aligner("la") is None


def test_a_model_takes_its_own_files_of_a_repository_only() -> None:
    whisper = catalog().model("large-v3")

    assert whisper.wants("model.bin")
    assert whisper.wants("vocabulary.json")
    assert not whisper.wants("README.md")
    assert not whisper.wants(".gitattributes")


def _raw() -> dict[str, dict[str, dict[str, object]]]:
    return tomllib.loads(files("pipeline").joinpath("catalog.toml").read_text("utf-8"))


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("../escape", {"kind": "whisper", "licence": "MIT", "bytes": 1, "hub": {"repo": "a/b"}}),
        ("nowhere", {"kind": "whisper", "licence": "MIT", "bytes": 1}),
        ("typo", {"kind": "whisper", "licence": "MIT", "bytes": 1, "hubb": {"repo": "a/b"}}),
        ("lost", {"alias": "no-such-model"}),
        (
            "plain-http",
            {
                "kind": "aligner",
                "licence": "MIT",
                "bytes": 1,
                "url": {"address": "http://example.org/a.pt", "sha256": "0" * 64},
            },
        ),
        (
            "no-wheel",
            {
                "kind": "embedding",
                "licence": "MIT",
                "bytes": 1,
                "wheel_files": [
                    {"path": "a.pt", "bytes": 1, "sha256": "0" * 64, "members": ["gone:a.pt"]}
                ],
            },
        ),
    ],
)
def test_a_catalog_with_a_mistake_is_refused(name: str, entry: dict[str, object]) -> None:
    raw = _raw()
    raw["models"][name] = entry

    with pytest.raises(ValidationError):
        read(raw)
