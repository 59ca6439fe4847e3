"""A real worker whose pipeline does what the media says, for tests of everything else.

The media is JSON: {"seconds": 0.5, "say": "hello", "fail": "corrupt", "die": true}.
"""

import json
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

from jobs import files as s3
from jobs import queue as broker
from jobs import redis_client
from jobs.errors import CorruptMedia, ModelUnavailable, UnsupportedMedia
from jobs.files import JobFiles
from jobs.leases import Leases
from jobs.logs import configure_logging
from jobs.options import TranscriptionOptions
from jobs.settings import load_settings
from jobs.stages import Stage
from jobs.store import JobStore
from jobs.workers import WorkerRegistry, WorkerStatus
from pipeline.progress import OnDecoded, OnProgress
from transcript.transcript import Segment, Transcript, Word
from worker.consuming import consume
from worker.performing import Performer
from worker.presence import present
from worker.settings import WorkerSettings


def transcribe(
    media: Path,
    options: TranscriptionOptions,
    on_progress: OnProgress,
    *,
    on_decoded: OnDecoded,
) -> Transcript:
    """Do what the media says."""
    try:
        script = json.loads(media.read_bytes())
    except ValueError as error:
        msg = "no script for the stand-in"
        raise UnsupportedMedia(msg) from error
    on_decoded(1.0, "script")
    if script.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    if script.get("fail") == "corrupt":
        msg = "the script says so"
        raise CorruptMedia(msg)
    if script.get("fail") == "model":
        msg = "the script says so"
        raise ModelUnavailable(msg)
    if script.get("fail") == "bug":
        msg = "secret detail"
        raise ZeroDivisionError(msg)
    steps = max(1, int(script.get("seconds", 0) / 0.05))
    for step in range(steps):
        on_progress(Stage.TRANSCRIBE, step / steps)
        time.sleep(script.get("seconds", 0) / steps)
    text = script.get("say", "hello")
    word = Word(word=text, start=0.0, end=1.0, score=0.9, speaker="SPEAKER_00")
    segment = Segment(id=0, start=0.0, end=1.0, text=text, speaker="SPEAKER_00", words=(word,))
    return Transcript(text=text, language="en", duration=1.0, segments=(segment,))


def main() -> None:
    """Perform jobs until told to stop."""
    configure_logging()
    settings = load_settings(WorkerSettings)
    name = settings.name("stand-in")
    client = redis_client.connect(settings.redis_url.get_secret_value())
    store = JobStore(client)
    performer = Performer(
        store=store,
        leases=Leases(client, store),
        files=JobFiles(s3.connect(settings), settings.s3_bucket),
        transcribe=transcribe,
        worker=name,
        work_dir=settings.work_dir,
    )
    started_at = datetime.now(UTC)
    with present(
        WorkerRegistry(client),
        lambda: WorkerStatus(
            name=name,
            device="cpu",
            compute_type="none",
            started_at=started_at,
            jobs=performer.job_ids(),
        ),
    ):
        consume(broker.connect(settings), performer.perform, name=name, jobs_at_once=2)


if __name__ == "__main__":
    main()
