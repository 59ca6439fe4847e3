"""Weights that are missing, broken or of another shape are said; old names are understood."""

import json
import warnings
from pathlib import Path

import pytest

from jobs.errors import ModelUnavailable
from pipeline.aligner_models import load_aligner
from pipeline.aligning import align
from tests.integration.aligners_made import (
    KINDS,
    heard,
    hugging_face_weights,
    noise,
    seed_torch,
    torch,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from safetensors.torch import load_file, save_file


@pytest.fixture(autouse=True)
def _seeded() -> None:
    seed_torch()


@pytest.fixture(params=sorted(KINDS))
def hugging_face_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return hugging_face_weights(tmp_path, request.param)


def test_a_language_without_an_aligner_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="'sw'"):
        load_aligner("sw", tmp_path, device="cpu")


@pytest.mark.parametrize("language", ["en", "nl"])
def test_missing_weights_are_said(language: str, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=f"aligner-{language}"):
        load_aligner(language, tmp_path / "nowhere", device="cpu")
    with pytest.raises(ModelUnavailable, match=f"aligner-{language}"):
        load_aligner(language, tmp_path, device="cpu")


@pytest.mark.parametrize("broken", [b"", b"not weights", b"PK\x03\x04torn"])
def test_broken_weights_are_said(broken: bytes, tmp_path: Path) -> None:
    (tmp_path / "wav2vec2_fairseq_base_ls960_asr_ls960.pth").write_bytes(broken)

    with pytest.raises(ModelUnavailable, match="aligner-en"):
        load_aligner("en", tmp_path, device="cpu")


@pytest.mark.parametrize("broken", [b"", b"not weights", b"\x08\0\0\0\0\0\0\0{}      "])
def test_broken_safetensors_are_said(broken: bytes, hugging_face_folder: Path) -> None:
    (hugging_face_folder / "model.safetensors").write_bytes(broken)

    with pytest.raises(ModelUnavailable, match="aligner-nl"):
        load_aligner("nl", hugging_face_folder, device="cpu")


def test_weights_that_lack_a_tensor_are_said(hugging_face_folder: Path) -> None:
    tensors = load_file(hugging_face_folder / "model.safetensors")
    del tensors["lm_head.weight"]
    save_file(tensors, hugging_face_folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ModelUnavailable, match="aligner-nl"):
        load_aligner("nl", hugging_face_folder, device="cpu")


def test_the_names_that_older_weights_have_are_understood(hugging_face_folder: Path) -> None:
    today = load_aligner("nl", hugging_face_folder, device="cpu")
    tensors = load_file(hugging_face_folder / "model.safetensors")
    old_names = {"parametrizations.weight.original0": "weight_g"}
    old_names["parametrizations.weight.original1"] = "weight_v"
    for new, old_name in old_names.items():
        name = f"wav2vec2.encoder.pos_conv_embed.conv.{new}"
        tensors[name.replace(new, old_name)] = tensors.pop(name)
    del tensors["wav2vec2.masked_spec_embed"]
    (hugging_face_folder / "model.safetensors").unlink()
    torch.save(tensors, hugging_face_folder / "pytorch_model.bin")

    old = load_aligner("nl", hugging_face_folder, device="cpu")

    windows = [heard(0.0, 1.0, "een twee", "nl")]
    assert align(noise(1), windows, old, batch_size=1) == align(
        noise(1), windows, today, batch_size=1
    )


def test_weights_of_another_shape_are_said(hugging_face_folder: Path) -> None:
    config = json.loads((hugging_face_folder / "config.json").read_text())
    (hugging_face_folder / "config.json").write_text(json.dumps({**config, "hidden_size": 64}))

    with pytest.raises(ModelUnavailable, match="aligner-nl"):
        load_aligner("nl", hugging_face_folder, device="cpu")
