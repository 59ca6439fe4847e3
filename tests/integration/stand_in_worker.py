"""A real worker whose pipeline does what the media says, for tests of everything else.

The media is JSON: {"seconds": 0.5, "say": "hello", "fail": "corrupt", "die": true}. What it calls
"transcript" takes the place of the transcript's own fields: {"transcript": {"language": "de"}}.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from jobs import queue as broker
from jobs import redis_client
from jobs import s3_client as s3
from jobs.batch_endings import BatchEndings
from jobs.connections import look_up
from jobs.dispatch import job_dispatch
from jobs.errors import CorruptMedia, ModelUnavailable, UnsupportedMedia
from jobs.files import JobFiles
from jobs.heard import Heard
from jobs.leases import Leases
from jobs.logs import configure_logging
from jobs.options import TranscriptionOptions
from jobs.outgoing import Outgoing
from jobs.queue import JobQueue
from jobs.settings import load_settings
from jobs.stages import Stage
from jobs.store import JobStore
from jobs.workers import WorkerRegistry, WorkerStatus
from pipeline.progress import HeardText, OnDecoded, OnHeard, OnProgress
from transcript.transcript import Segment, Transcript, Word
from worker.activity import Activity
from worker.consuming import consume_jobs
from worker.drain import Drain
from worker.media_fetching import MediaFetcher
from worker.memory import rss_bytes
from worker.performing import Performer
from worker.presence import present
from worker.settings import WorkerSettings

JOBS_AT_ONCE = int(os.environ.get("JOBS_PER_WORKER", "2"))


def transcribe(
    media: Path,
    options: TranscriptionOptions,
    on_progress: OnProgress,
    *,
    batch_share: float,
    on_decoded: OnDecoded,
    on_heard: OnHeard,
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
    text = script.get("say", "hello")
    steps = max(1, int(script.get("seconds", 0) / 0.05))
    words = text.split()
    for step in range(max(steps, len(words))):
        on_progress(Stage.TRANSCRIBE, step / max(steps, len(words)))
        if step < len(words):
            on_heard(HeardText(start=float(step), end=step + 1.0, text=f" {words[step]}"))
        time.sleep(script.get("seconds", 0) / steps)
    word = Word(word=text, start=0.0, end=1.0, score=0.9, speaker="SPEAKER_00")
    segment = Segment(id=0, start=0.0, end=1.0, text=text, speaker="SPEAKER_00", words=(word,))
    found = Transcript(text=text, language="en", duration=1.0, segments=(segment,))
    changed = found.model_dump() | script.get("transcript", {})
    return Transcript.model_validate_json(json.dumps(changed))


def this_machine(host: str, port: int) -> Sequence[str]:
    """Know no name but localhost: nothing that a test asks for may leave this machine."""
    if host != "localhost":
        raise socket.gaierror(socket.EAI_NONAME, "no such host")
    return look_up(host, port)


def main() -> None:
    """Perform jobs until told to stop."""
    configure_logging()
    settings = load_settings(WorkerSettings)
    name = settings.name("stand-in")
    client = redis_client.connect(settings.redis_url.get_secret_value())
    store = JobStore(client)
    files = JobFiles(s3.connect(settings), settings.s3_bucket)
    celery = broker.connect(settings)
    activity = Activity()
    performer = Performer(
        store=store,
        leases=Leases(client, store),
        dispatch=job_dispatch(client, JobQueue(celery, client)),
        batch_endings=BatchEndings(client, store),
        files=files,
        fetcher=MediaFetcher(
            files=files,
            store=store,
            outgoing=Outgoing(
                allow_private_addresses=settings.allow_private_addresses, resolve=this_machine
            ),
            max_bytes=settings.max_file_size_mb * 1024 * 1024,
            timeout_seconds=settings.fetch_timeout_seconds,
        ),
        heard=Heard(client),
        transcribe=transcribe,
        activity=activity,
        drain=Drain(settings.drain_seconds),
        worker=name,
        process=settings.worker_process,
        jobs_at_once=JOBS_AT_ONCE,
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
            jobs_at_once=JOBS_AT_ONCE,
            jobs=activity.job_ids(),
            rss_bytes=rss_bytes(),
        ),
    ):
        consume_jobs(celery, performer.perform, name=name, jobs_at_once=JOBS_AT_ONCE)


if __name__ == "__main__":
    main()
