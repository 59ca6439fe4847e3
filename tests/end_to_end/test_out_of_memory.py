"""Where the memory is used up, a run says so, and the process is as good as new."""

import json
import os
import subprocess
import sys
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest

from jobs.options import TranscriptionOptions
from jobs.stages import Stage
from pipeline.pipeline import Pipeline
from pipeline.settings import PipelineSettings

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **os.environ,
    # Whatever is large comes from the kernel, and not from what was freed before.
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 17),
    # Threads of linear algebra that get no stack end the process: that is GNU OpenMP's way.
    "OMP_NUM_THREADS": "1",
}
STAGES = (Stage.DECODE, Stage.TRANSCRIBE, Stage.DIARIZE)  # the aligner's weights are in no wheel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory has no limit")


@pytest.fixture(scope="module")
def runs(call: Path) -> dict[str, Any]:
    """What the runs of one process came to."""
    command = [sys.executable, "-m", "tests.end_to_end.out_of_memory_program", str(call), *STAGES]
    ended = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_without_memory_says_so_whatever_stage_it_is_in(
    stage: Stage, runs: dict[str, Any]
) -> None:
    assert runs["shortages"][stage] == "out_of_memory"


def test_with_memory_the_same_process_goes_on_and_half_the_batch_writes_the_same(
    runs: dict[str, Any],
) -> None:
    first, last = runs["first"], runs["last"]

    # Not to the letter: sums are added up in another order.
    assert SequenceMatcher(None, first["text"].split(), last["text"].split()).ratio() > 0.95
    assert [each["label"] for each in first["speakers"]] == [
        each["label"] for each in last["speakers"]
    ]
    assert first["warnings"] == last["warnings"]


def test_half_the_batch_is_half_of_every_batch_and_only_for_that_run(call: Path) -> None:
    pipeline = Pipeline(PipelineSettings(device="cpu", batch_size=2, hf_hub_offline=True))
    options = TranscriptionOptions(model="tiny.en", language="en", diarize=True)
    diarizer = pipeline._models.diarizer()._pipeline
    sizes: list[tuple[int, int]] = []

    def note(stage: Stage, fraction: float) -> None:
        if stage is Stage.DIARIZE and 0.1 < fraction < 0.9:
            sizes.append((diarizer.segmentation_batch_size, diarizer.embedding_batch_size))

    usual = diarizer.segmentation_batch_size, diarizer.embedding_batch_size
    pipeline.run(call, options, note, batch_share=0.5)

    assert set(sizes) == {(usual[0] // 2, max(1, usual[1] // 2))}
    assert (diarizer.segmentation_batch_size, diarizer.embedding_batch_size) == usual
