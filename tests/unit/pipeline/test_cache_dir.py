import json
from pathlib import Path

import pytest

from jobs.request_errors import InvalidOptions
from pipeline.cache_dir import RECEIPT, cached
from pipeline.pull import locate, pull
from pipeline.settings import PipelineSettings
from tests.unit.pipeline.model_folders import WHISPER_FILES, fill

REVISION = "edaa852ec7e145841d8ffdb056a99866b5f0a478"  # of large-v3, in the catalog


@pytest.fixture
def settings(tmp_path: Path) -> PipelineSettings:
    return PipelineSettings(cache_dir=tmp_path, allowed_models=("ours",), hf_hub_offline=False)


def test_an_empty_cache_holds_nothing(settings: PipelineSettings) -> None:
    assert cached("tiny", settings) is None


def test_a_folder_put_there_by_hand_is_found(settings: PipelineSettings) -> None:
    home = fill(settings.cache_dir / "models" / "large-v3")

    assert cached("large-v3", settings) == home
    assert cached("large", settings) == home


@pytest.mark.parametrize("missing", WHISPER_FILES)
def test_a_folder_that_lacks_a_file_is_no_model(settings: PipelineSettings, missing: str) -> None:
    home = fill(settings.cache_dir / "models" / "tiny")
    (home / missing).write_bytes(b"")

    assert cached("tiny", settings) is None


def test_a_file_that_shrank_since_it_was_verified_is_no_model(settings: PipelineSettings) -> None:
    home = fill(settings.cache_dir / "models" / "tiny")
    receipt = {
        "name": "tiny",
        "source": "somewhere",
        "licence": "MIT",
        "files": {"model.bin": {"bytes": 8, "sha256": "0" * 64}},
    }
    (home / RECEIPT).write_text(json.dumps(receipt))

    assert cached("tiny", settings) is None


@pytest.mark.parametrize("root", [".", "hub", "huggingface/hub"])
def test_a_snapshot_of_the_hubs_own_cache_is_found(settings: PipelineSettings, root: str) -> None:
    repository = settings.cache_dir / root / "models--Systran--faster-whisper-large-v3"
    fill(repository / "snapshots" / "0000", ("config.json",))  # an interrupted download
    whole = fill(repository / "snapshots" / REVISION)

    assert cached("large-v3", settings) == whole


def test_of_several_snapshots_the_current_one_is_taken(settings: PipelineSettings) -> None:
    repository = settings.cache_dir / "models--Systran--faster-whisper-large-v3"
    current = fill(repository / "snapshots" / "aaaa")
    fill(repository / "snapshots" / "bbbb")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("aaaa")

    assert cached("large-v3", settings) == current


def test_a_snapshot_whose_blobs_are_gone_is_no_model(settings: PipelineSettings) -> None:
    repository = settings.cache_dir / "models--Systran--faster-whisper-large-v3"
    snapshot = fill(repository / "snapshots" / REVISION)
    (snapshot / "model.bin").unlink()
    (snapshot / "model.bin").symlink_to("../../blobs/gone")

    assert cached("large-v3", settings) is None


@pytest.mark.parametrize("place", [".", "torch/hub/checkpoints"])
def test_an_aligner_that_torchaudio_downloaded_is_found(
    settings: PipelineSettings, place: str
) -> None:
    directory = settings.cache_dir / place
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "wav2vec2_fairseq_base_ls960_asr_ls960.pth").write_bytes(b"weights")

    assert cached("aligner-en", settings) == directory
    assert cached("aligner-de", settings) is None


def test_a_deployments_own_model_is_its_folder(settings: PipelineSettings) -> None:
    assert cached("ours", settings) is None

    home = fill(settings.cache_dir / "models" / "ours")

    assert cached("ours", settings) == home


@pytest.mark.parametrize("name", ["nonsense", "../tiny", "Systran/faster-whisper-tiny", ""])
def test_an_unknown_name_is_never_a_path_or_a_download(
    settings: PipelineSettings, name: str
) -> None:
    for ask in (cached, locate, pull):
        with pytest.raises(InvalidOptions, match="known are"):
            ask(name, settings)
