"""The tables of the catalog are those of the libraries."""

import ast
from importlib.util import find_spec
from pathlib import Path

from jobs.options import WHISPER_MODELS
from pipeline.catalog import catalog


def test_whisper_repositories_are_those_of_faster_whisper() -> None:
    from faster_whisper.utils import _MODELS

    assert set(WHISPER_MODELS) == set(_MODELS)
    for name, repository in _MODELS.items():
        hub = catalog().model(name).hub
        assert hub is not None
        assert hub.repo == repository


def test_aligners_are_those_of_whisperx() -> None:
    # Read, not imported: the import takes half a minute and the tables are literals.
    spec = find_spec("whisperx")
    assert spec is not None
    assert spec.submodule_search_locations
    source = Path(spec.submodule_search_locations[0], "alignment.py").read_text("utf-8")
    tables = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id.startswith("DEFAULT_ALIGN_MODELS")
    }

    models = catalog().models
    aligners = {n.removeprefix("aligner-"): m for n, m in models.items() if m.kind == "aligner"}
    bundles = {language: m.bundle for language, m in aligners.items() if m.bundle}
    repositories = {language: m.hub.repo for language, m in aligners.items() if m.hub}
    assert bundles == tables["DEFAULT_ALIGN_MODELS_TORCH"]
    assert repositories == tables["DEFAULT_ALIGN_MODELS_HF"]
