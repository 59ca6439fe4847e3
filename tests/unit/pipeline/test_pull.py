import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import ModelUnavailable
from pipeline import pull as pulling
from pipeline.cache_dir import RECEIPT, PulledFile, cached
from pipeline.pull import locate, pull
from pipeline.recent_failures import RecentFailures
from pipeline.settings import PipelineSettings
from pipeline.sources import Fetched, SourceFailed
from tests.unit.pipeline.model_folders import WHISPER_FILES, fill


@pytest.fixture
def settings(tmp_path: Path) -> PipelineSettings:
    return PipelineSettings(cache_dir=tmp_path, allowed_models=("ours",), hf_hub_offline=False)


@pytest.fixture(autouse=True)
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "_unpulled", RecentFailures(seconds=60))


def _filled(staging: Path) -> Fetched:
    for name in WHISPER_FILES:
        (staging / name).write_bytes(b"content")
    file = PulledFile(bytes=7, sha256="0" * 64)
    return Fetched(source="a test", files=dict.fromkeys(WHISPER_FILES, file))


def _source(monkeypatch: pytest.MonkeyPatch, fetch: Callable[[Path], Fetched]) -> list[Path]:
    """Put one source in the place of all; gives the folders that it was asked to fill."""
    asked: list[Path] = []

    def fetch_and_note(staging: Path, work: Path) -> Fetched:
        asked.append(staging)
        return fetch(staging)

    monkeypatch.setattr(pulling, "_sources", lambda *_: iter([("the source", fetch_and_note)]))
    return asked


def _refused(staging: Path) -> Fetched:
    (staging / "half").write_bytes(b"half")
    raise SourceFailed("nobody answers")


def test_a_pulled_model_is_whole_and_has_a_receipt(
    settings: PipelineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _source(monkeypatch, _filled)

    home = pull("tiny", settings)

    assert home == settings.cache_dir / "models" / "tiny"
    assert cached("tiny", settings) == home
    assert json.loads((home / RECEIPT).read_text())["source"] == "a test"
    assert pull("tiny", settings) == home
    assert len(asked) == 1


def test_a_broken_model_is_replaced(
    settings: PipelineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = fill(settings.cache_dir / "models" / "tiny", ("config.json", "old"))
    _source(monkeypatch, _filled)

    assert pull("tiny", settings) == home
    assert not (home / "old").exists()


def test_a_failed_pull_leaves_nothing_and_says_what_to_do(
    settings: PipelineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _source(monkeypatch, _refused)

    with pytest.raises(ModelUnavailable, match=r"the source: nobody answers.*pull tiny") as refusal:
        pull("tiny", settings)

    assert str(settings.cache_dir) not in refusal.value.message
    assert _left(settings) == []


def test_an_interrupted_pull_leaves_nothing(
    settings: PipelineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(staging: Path) -> Fetched:
        (staging / "half").write_bytes(b"half")
        raise KeyboardInterrupt

    _source(monkeypatch, interrupted)

    with pytest.raises(KeyboardInterrupt):
        pull("tiny", settings)

    assert _left(settings) == []


def test_what_a_killed_pull_left_is_swept_by_the_next(
    settings: PipelineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    leftover = fill(settings.cache_dir / "models" / ".tiny.pull-abc", ("half",))
    fill(settings.cache_dir / "models" / ".base.pull-abc", ("half",))
    _source(monkeypatch, _filled)

    pull("tiny", settings)

    assert not leftover.exists()
    assert _left(settings) == [".base.pull-abc", "tiny"]  # base may be at work elsewhere


def test_a_disk_that_is_too_full_is_said_before_anything_is_fetched(
    settings: PipelineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _source(monkeypatch, _filled)
    full = shutil.disk_usage("/")._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)

    with pytest.raises(ModelUnavailable, match="GB free in CACHE_DIR"):
        pull("large-v3", settings)

    assert asked == []


def test_a_cache_that_cannot_be_written_is_no_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    _source(monkeypatch, _filled)

    with pytest.raises(ModelUnavailable, match="could not be written"):
        pull("tiny", PipelineSettings(cache_dir=tmp_path))


def test_a_deployments_own_model_is_never_downloaded(
    settings: PipelineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _source(monkeypatch, _filled)

    with pytest.raises(ModelUnavailable, match="this deployment's own"):
        locate("ours", settings)

    assert asked == []


def test_an_offline_worker_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _source(monkeypatch, _filled)

    with pytest.raises(ModelUnavailable, match="HF_HUB_OFFLINE"):
        locate("tiny", PipelineSettings(cache_dir=tmp_path, hf_hub_offline=True))

    assert asked == []


def test_offline_the_hub_is_no_source_and_the_package_index_is(tmp_path: Path) -> None:
    from pipeline.catalog import catalog

    model = catalog().model("tiny.en")
    offline = PipelineSettings(cache_dir=tmp_path, hf_hub_offline=True)
    online = PipelineSettings(cache_dir=tmp_path, hf_hub_offline=False)

    assert [name for name, _ in pulling._sources(model, offline, pulling.nobody)] == [
        "package index"
    ]
    assert [name for name, _ in pulling._sources(model, online, pulling.nobody)] == [
        "Hugging Face",
        "package index",
    ]


def test_a_failed_pull_delays_one_job_only(
    settings: PipelineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _source(monkeypatch, _refused)
    for _ in range(3):
        with pytest.raises(ModelUnavailable, match="nobody answers"):
            locate("community-1", settings)

    assert len(asked) == 1


def test_a_pull_by_hand_ends_the_wait(
    settings: PipelineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _source(monkeypatch, _refused)
    with pytest.raises(ModelUnavailable):
        locate("tiny", settings)
    _source(monkeypatch, _filled)

    home = pull("tiny", settings)

    assert locate("tiny", settings) == home


def test_what_was_put_there_meanwhile_is_found_in_spite_of_a_failure(
    settings: PipelineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _source(monkeypatch, _refused)
    with pytest.raises(ModelUnavailable):
        locate("tiny", settings)

    home = fill(settings.cache_dir / "models" / "tiny")

    assert locate("tiny", settings) == home


def test_a_failure_is_forgotten_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("pipeline.recent_failures.time.monotonic", lambda: now[0])
    failures = RecentFailures(seconds=300)
    failures.remember("hub", "silent")

    now[0] = 399.0
    assert failures.reason("hub") == "silent"
    now[0] = 401.0
    assert failures.reason("hub") is None


def _left(settings: PipelineSettings) -> list[str]:
    names = (path.name for path in (settings.cache_dir / "models").iterdir())
    return sorted(name for name in names if not name.endswith(".lock"))
