"""A real process of one stage that does what `initial_prompt` says, for tests of all around it.

It is JSON: {"seconds": 5} takes so long, {"die": path} dies as often as the file has lines left,
{"eat": true} finds no memory. Every run of it adds a line to the file {"ran": path}.
"""

import json
import os
import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from jobs import queue as broker
from jobs import redis_client
from jobs.errors import OutOfMemory
from jobs.logs import configure_logging
from jobs.settings import load_settings
from jobs.stages import Stage
from jobs.workers import WorkerStatus
from pipeline.progress import OnProgress
from pipeline.speech import Diarization, Turn, WordTime
from pipeline.stage_work import StageDone, StageWork
from pipeline.waveform import Waveform
from worker.activity import Activity
from worker.drain import Drain
from worker.launched import Launched
from worker.settings import WorkerSettings
from worker.stage_process import do_stage_of_others

STARTED_AT = datetime.now(UTC)


def run_stage(work: StageWork, waveforms: Sequence[Waveform], on_progress: OnProgress) -> StageDone:
    """Do what the prompt says, and answer how much sound there was."""
    script = json.loads(work.options.initial_prompt or "{}")
    if "ran" in script:
        with Path(script["ran"]).open("a") as ran:
            ran.write(f"{os.getpid()}\n")
    if "die" in script:
        _die(Path(script["die"]))
    if script.get("eat"):
        msg = "the script says so"
        raise OutOfMemory(msg)
    if script.get("bug"):
        msg = "secret detail"
        raise ZeroDivisionError(msg)
    steps = max(1, int(script.get("seconds", 0) / 0.05))
    for step in range(steps):
        on_progress(work.stage, step / steps)
        time.sleep(script.get("seconds", 0) / steps)
    if work.stage is Stage.ALIGN:
        time_ = WordTime(
            start=float(waveforms[0].sum()), end=len(waveforms[-1]), score=float("nan")
        )
        return StageDone(
            times=tuple(
                tuple(tuple(time_ for _ in window.words) for window in mine) for mine in work.heard
            )
        )
    turn = Turn(start=0.1, end=float(waveforms[0].max()), speaker="SPEAKER_00")
    return StageDone(diarization=Diarization(turns=(turn,), exclusive=(turn,), embeddings={}))


def _die(deaths: Path) -> None:
    left = deaths.read_text().splitlines()
    if left:
        deaths.write_text("\n".join(left[1:]))
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Do the stage of WORKER_STAGE until told to stop."""
    configure_logging()
    settings, launched = load_settings(WorkerSettings), load_settings(Launched)
    activity = Activity()

    def status() -> WorkerStatus:
        return WorkerStatus(
            name=settings.name("stand-in"),
            device="cpu",
            compute_type="none",
            started_at=STARTED_AT,
            jobs=activity.job_ids(),
            stage=launched.stage,
            process=launched.process,
        )

    client = redis_client.connect(settings.redis_url.get_secret_value())
    do_stage_of_others(
        client,
        broker.connect(settings),
        settings,
        launched,
        run_stage=run_stage,
        status=status,
        activity=activity,
        drain=Drain(settings.drain_seconds),
        work_dir=settings.work_dir,
    )


if __name__ == "__main__":
    main()
