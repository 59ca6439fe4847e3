"""What real libraries and a real kernel do when there is no memory left is understood."""

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jobs.errors import CorruptMedia, OutOfMemory
from pipeline import decoder_process
from pipeline.memory_faults import free_memory, is_out_of_memory
from tests.integration.decoded_media import heard
from tests.media_made import tone, write

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what torch imports
    torch = pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]
TOO_MUCH = 1 << 50  # bytes: more than any machine maps

# Silero, on all the memory that the process has so far and not a page more.
ONNX_RUNTIME_IN_NEED = """
import resource
import numpy as np
from pathlib import Path
from faster_whisper.vad import get_vad_model
from pipeline.memory_faults import is_out_of_memory

session = get_vad_model().session
state = np.zeros((1, 1, 128), dtype=np.float32)
frames = np.zeros((100_000, 576), dtype=np.float32)
mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
_, hard = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (mapped, hard))
try:
    session.run(None, {"input": frames, "h": state, "c": state})
except Exception as error:
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    print(is_out_of_memory(error), type(error).__name__, error)
session.run(None, {"input": frames[:10], "h": state, "c": state})
print("usable")
"""


@pytest.mark.parametrize(
    "allocate",
    [
        lambda: torch.empty(TOO_MUCH),
        lambda: np.empty(TOO_MUCH),
        lambda: bytearray(TOO_MUCH),
    ],
    ids=["torch", "numpy", "python"],
)
def test_a_library_that_gets_no_memory_is_understood(allocate: Callable[[], object]) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - each has its own
        allocate()

    assert is_out_of_memory(raised.value), raised.value
    free_memory()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory cannot be limited")
def test_onnx_runtime_that_gets_no_memory_is_understood() -> None:
    command = [sys.executable, "-c", ONNX_RUNTIME_IN_NEED]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    said, _, last = ended.stdout.strip().rpartition("\n")
    assert said.startswith("True "), ended
    assert last == "usable"


@pytest.fixture
def media(tmp_path: Path) -> Path:
    return write(tmp_path / "a.wav", tone(1, rate=16_000), codec="pcm_s16le", rate=16_000)


READY = "import os, signal; print('{\"ready\": true}', flush=True)\n"


@pytest.mark.parametrize("until", ["", READY], ids=["while it starts", "in the midst"])
def test_a_decoder_that_the_kernel_kills_is_no_fault_of_the_media(
    until: str, tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = until + "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    monkeypatch.setattr(decoder_process, "_START", killed)

    with pytest.raises(OutOfMemory):
        heard(media, tmp_path)


@pytest.mark.parametrize(
    "death",
    [
        "os.close(1); signal.pause()",  # ended by us
        "import sys; sys.path.append(sys.argv[1])\n"
        "from pipeline.confinement import confine\n"
        "confine(cpu_seconds=1, output_bytes=1000, spare_files=0)\n"
        "while True: pass",  # ended by the kernel, for wanting too much
    ],
    ids=["no longer talks", "never comes to an end"],
)
def test_a_decoder_that_misbehaves_still_means_corrupt_media(
    death: str, tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder_process, "_START", READY + death)

    with pytest.raises(CorruptMedia):
        heard(media, tmp_path)
