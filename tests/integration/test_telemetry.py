"""Nothing phones home: no library leaves the traces of one that would."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOAD = """
from pathlib import Path
from pipeline.pipeline import Pipeline
from pipeline.settings import PipelineSettings
Pipeline(PipelineSettings(device="cpu"))
import onnxruntime, pyannote.audio, huggingface_hub.constants
from pyannote.audio.telemetry.metrics import is_metrics_enabled
print(is_metrics_enabled(), huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY)
"""


def test_no_library_reports_to_its_maker(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOAD],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.stdout.splitlines()[-1:] == ["False True"], run.stderr
    assert not [path for path in tmp_path.rglob("*") if "Microsoft" in str(path)]
