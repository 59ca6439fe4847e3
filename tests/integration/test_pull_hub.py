"""Models come from a hub that speaks the hub's protocol."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.errors import ModelUnavailable
from pipeline import hub as hub_source
from pipeline import pull as pulling
from pipeline.recent_failures import RecentFailures
from pipeline.settings import PipelineSettings
from tests.integration.catalog_made import sha256, use_catalog
from tests.integration.small_hub import FILES, REVISION, SmallHub, running_hub

ROOT = Path(__file__).parents[2]


@pytest.fixture
def hub() -> Iterator[type[SmallHub]]:
    with running_hub() as running:
        yield running


HUB_CATALOG: dict[str, object] = {
    "wheels": {},
    "models": {
        "voice": {
            "kind": "whisper",
            "licence": "MIT",
            "bytes": 100_000,
            "hub": {"repo": "org/voice", "gated": True},
        }
    },
}


def _pull_from(
    hub: type[SmallHub] | str, cache: Path, *, token: str | None = None, made: object = HUB_CATALOG
) -> "subprocess.CompletedProcess[str]":
    """Pull in a process of its own: the hub's client reads its address when it is imported."""
    program = (
        "import json, sys, time; from pathlib import Path\n"
        "from jobs.errors import ModelUnavailable\n"
        "from pipeline import cache_dir, pull as pulling; from pipeline.catalog import read\n"
        "from pipeline.settings import PipelineSettings\n"
        "made = read(json.loads(sys.argv[1]))\n"
        "pulling.catalog = cache_dir.catalog = lambda: made\n"
        "settings = PipelineSettings(cache_dir=Path(sys.argv[2]), hf_token=sys.argv[3] or None)\n"
        "for attempt in range(2):\n"
        "    try: print(pulling.pull('voice', settings))\n"
        "    except ModelUnavailable as error: print('UNAVAILABLE', error)\n"
    )
    address = hub if isinstance(hub, str) else hub.address
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(cache),
        "HF_HOME": str(cache / "hf"),
        "HF_ENDPOINT": address,
    }
    return subprocess.run(
        [sys.executable, "-c", program, json.dumps(made), str(cache), token or ""],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )


def test_the_hub_gives_the_files_that_are_wanted(tmp_path: Path, hub: type[SmallHub]) -> None:
    hub.gated = True

    done = _pull_from(hub, tmp_path, token="hf_of_a_test")

    home = tmp_path / "models" / "voice"
    assert str(home) in done.stdout
    assert {path.name for path in home.iterdir()} == {*FILES, "pulled.json"} - {"README.md"}
    assert all((home / name).read_bytes() == FILES[name] for name in hub.fetched)
    assert "Bearer hf_of_a_test" in hub.tokens
    receipt = json.loads((home / "pulled.json").read_text())
    assert receipt["source"] == f"org/voice@{REVISION}"
    assert receipt["files"]["model.bin"]["sha256"] == sha256(FILES["model.bin"])


def test_a_gated_model_without_a_token_says_what_to_do(tmp_path: Path, hub: type[SmallHub]) -> None:
    hub.gated = True

    done = _pull_from(hub, tmp_path)

    assert "UNAVAILABLE" in done.stdout
    assert "set HF_TOKEN and accept the terms of org/voice" in done.stdout


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json"])
def test_other_bytes_than_the_published_are_refused(
    tmp_path: Path, hub: type[SmallHub], name: str
) -> None:
    hub.files[name] = bytes(reversed(FILES[name]))

    done = _pull_from(hub, tmp_path)

    assert "UNAVAILABLE" in done.stdout
    assert f"{name} is not the file that was published" in done.stdout
    assert not (tmp_path / "models" / "voice").exists()


def test_a_hub_that_is_gone_is_asked_once_and_not_for_long(tmp_path: Path) -> None:
    began = time.monotonic()

    done = _pull_from("http://127.0.0.1:9", tmp_path)

    assert done.stdout.count("UNAVAILABLE") == 2
    assert "does not answer from here" in done.stdout
    assert time.monotonic() - began < 30


def test_a_hub_that_takes_the_call_and_says_nothing_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import HfApi

    asked: list[str] = []

    def silent(self: HfApi, repo: str, **_: object) -> None:
        asked.append(repo)
        time.sleep(5)

    monkeypatch.setattr(HfApi, "model_info", silent)
    monkeypatch.setattr(hub_source, "HUB_PATIENCE_SECONDS", 1.0)
    monkeypatch.setattr(hub_source, "_silent_hubs", RecentFailures(seconds=60))
    use_catalog(monkeypatch, HUB_CATALOG)
    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match="does not answer"):
            pulling.pull("voice", PipelineSettings(cache_dir=tmp_path, hf_hub_offline=False))

    assert asked == ["org/voice"]
    assert time.monotonic() - began < 5
