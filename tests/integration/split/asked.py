"""Say what a run asks of other processes, and look at what they did."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deploy.local.processes import Process
from jobs import s3_client as s3
from jobs.options import TranscriptionOptions
from jobs.settings import StoreSettings
from jobs.stage_call import StageCall, StageRole
from jobs.stages import Stage
from pipeline.stage_work import StageWork
from worker.stage_sending import StageSender

JOB, ATTEMPT = "job_1", "0123456789abcdef"
DIARIZE = StageCall(job_id=JOB, attempt=ATTEMPT, role=StageRole.DIARIZE)
SOUND = np.array([0.25, -0.5, 1e-9, 0.75], dtype=np.float32)
Start = Callable[..., Process]
Sending = Callable[..., StageSender]


def diarize(**script: Any) -> StageWork:
    options = TranscriptionOptions(diarize=True, initial_prompt=json.dumps(script))
    return StageWork(stage=Stage.DIARIZE, options=options, batch_share=1.0)


def ran(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def until(is_so: Callable[[], object], *, within_seconds: float = 30) -> float:
    """Return how long it took until something was so."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < within_seconds
        time.sleep(0.05)
    return time.monotonic() - began


def keys(settings: StoreSettings) -> list[str]:
    found = s3.connect(settings).list_objects_v2(Bucket=settings.s3_bucket, Prefix="jobs/")
    return [item["Key"] for item in found.get("Contents", [])]


def ignore(fraction: float) -> None:
    """Follow nothing."""
