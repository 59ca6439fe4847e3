"""A decoder that does not do its work is ended, and ends with its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from jobs.errors import CorruptMedia
from jobs.stages import Stage
from pipeline import decoder_process
from pipeline.decoding import decode
from pipeline.progress import unheard
from tests.integration.decoded_media import heard
from tests.media_made import tone, write

ROOT = Path(__file__).parents[2]


class Canceled(Exception):
    """What a caller raises to end a run."""


READY = "import os, sys, time, signal; print('{\"ready\": true}', flush=True)\n"


def _child(monkeypatch: pytest.MonkeyPatch, program: str) -> list["subprocess.Popen[bytes]"]:
    """Put another program in the decoder's place; gives the processes that were started."""
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def start_and_note(*args: object, **options: object) -> "subprocess.Popen[bytes]":
        started.append(start(*args, **options))  # type: ignore[call-overload] # as it came
        return started[-1]

    monkeypatch.setattr(decoder_process, "_START", program)
    monkeypatch.setattr(subprocess, "Popen", start_and_note)
    return started


@pytest.fixture
def media(tmp_path: Path) -> Path:
    return write(tmp_path / "a.wav", tone(1, rate=16_000), codec="pcm_s16le", rate=16_000)


def test_a_cancel_is_noticed_while_the_decoder_hangs(
    tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = _child(monkeypatch, READY + "time.sleep(600)")
    calls: list[float] = []

    def cancel_at_the_third(stage: Stage, fraction: float) -> None:
        calls.append(time.monotonic())
        if len(calls) == 3:
            raise Canceled

    with pytest.raises(Canceled):
        decode(
            media,
            tmp_path,
            max_seconds=60,
            timeout_seconds=60,
            on_progress=cancel_at_the_third,
        )

    assert max(np.diff(calls)) < 2.0
    assert started[0].returncode == -signal.SIGKILL


def test_a_decoder_that_hangs_is_ended(
    tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = _child(monkeypatch, READY + "time.sleep(600)")

    with pytest.raises(CorruptMedia, match=r"within 1\.5 seconds"):
        decode(media, tmp_path, max_seconds=60, timeout_seconds=1.5, on_progress=unheard)

    assert started[0].returncode == -signal.SIGKILL


def test_a_decoder_that_talks_for_ever_is_ended(
    tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _child(monkeypatch, READY + "while True: print('{\"fraction\": 0.5}', flush=True)")

    with pytest.raises(CorruptMedia, match="within 1 seconds"):
        decode(media, tmp_path, max_seconds=60, timeout_seconds=1, on_progress=unheard)


@pytest.mark.parametrize(
    "death",
    [
        "os.kill(os.getpid(), signal.SIGSEGV)",
        "os._exit(0)",
        "print('no report at all', flush=True); time.sleep(600)",
        "print('[' * 10_000_000, flush=True); time.sleep(600)",
        "raise MemoryError",
    ],
)
def test_a_decoder_that_dies_means_corrupt_media(
    tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch, death: str
) -> None:
    _child(monkeypatch, READY + death)

    with pytest.raises(CorruptMedia) as refusal:
        heard(media, tmp_path)

    assert "Traceback" not in refusal.value.message


def test_a_decoder_that_cannot_start_is_not_the_medias_fault(
    tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _child(monkeypatch, "import no_such_module")

    with pytest.raises(RuntimeError, match="no_such_module"):
        heard(media, tmp_path)


def test_the_decoder_sees_no_secret(
    tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    _child(
        monkeypatch,
        READY + "import json; os.write(int(sys.argv[3]), bytes(4)); print(json.dumps("
        "{'outcome': 'done', 'samples': 1, 'container': ' '.join(os.environ)}), flush=True)",
    )

    names = heard(media, tmp_path).container.split()

    assert "LC_ALL" in names
    assert not {"HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "HOME", "PATH"} & set(names)


def test_the_decoder_dies_with_its_parent(tmp_path: Path, media: Path) -> None:
    pid_file = tmp_path / "pid"
    hanging = (
        "import sys, time, os; sys.path.append(sys.argv[1])\n"
        "from pipeline.confinement import die_with\n"
        "die_with(int(sys.argv[-1]))\n"
        f"open({str(pid_file)!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(600)"
    )
    program = (
        "import sys; from pathlib import Path; from pipeline import decoder_process, decoding\n"
        f"decoder_process._START = {hanging!r}\n"
        "decoding.decode(Path(sys.argv[1]), Path(sys.argv[2]), max_seconds=60,"
        " timeout_seconds=600, on_progress=lambda *_: None)"
    )
    command = [sys.executable, "-c", program, str(media), str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT) as parent:
        child = int(_eventually(lambda: pid_file.is_file() and pid_file.read_text()) or 0)
        parent.kill()

    assert _eventually(lambda: not _is_alive(child))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent")
def test_the_kernel_is_asked_to_end_a_decoder_with_its_parent() -> None:
    program = (
        "import ctypes, os, sys; sys.path.append(sys.argv[1])\n"
        "from pipeline.confinement import die_with\n"
        "die_with(os.getppid())\n"
        "sent = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(sent))\n"  # GET_PDEATHSIG
        "print(sent.value)"
    )
    command = [sys.executable, "-c", program, str(ROOT)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert int(child.stdout.read()) == signal.SIGKILL


def test_the_end_of_its_input_ends_a_decoder() -> None:
    # The way that is left where the kernel cannot tell a child of its parent's death.
    program = (
        "import sys, time; sys.path.append(sys.argv[1])\n"
        "from pipeline.confinement import _exit_at_end_of_input\n"
        "import threading; threading.Thread(target=_exit_at_end_of_input, daemon=True).start()\n"
        "time.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(ROOT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        child.stdin.close()

        assert child.wait(timeout=10) == 1


def _is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be buried does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def _eventually(what: "object", *, seconds: float = 10.0) -> str | bool:
    assert callable(what)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := what():
            return value  # type: ignore[no-any-return] # str or bool
        time.sleep(0.05)
    return False
