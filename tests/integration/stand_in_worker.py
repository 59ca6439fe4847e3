"""A real worker whose pipeline does what the media says, for tests of everything else.

The media is JSON: {"seconds": 0.5, "say": "hello", "fail": "corrupt", "die": true}. Evil words are
"die", "segfault", "hang" (seconds) and "eat" (MiB, held while it hangs), with "evil_once" (a path)
only in the first attempt. With "nonce" no two attempts have the same transcript. What it calls
"transcript" takes the place of the transcript's own fields: {"transcript": {"language": "de"}}.
"""

import ctypes
import json
import os
import resource
import secrets
import signal
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from jobs import queue as broker
from jobs import redis_client
from jobs import s3_client as s3
from jobs.batch_endings import BatchEndings
from jobs.connections import look_up
from jobs.dispatch import job_dispatch
from jobs.errors import CorruptMedia, ModelUnavailable, OutOfMemory, UnsupportedMedia
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
from pipeline.stages_elsewhere import Elsewhere
from transcript.transcript import Segment, Transcript, Word
from worker.activity import Activity
from worker.bereaved import Bereaved
from worker.consuming import consume_jobs
from worker.drain import Drain
from worker.last_resort import end_in_time
from worker.launched import Launched
from worker.media_fetching import MediaFetcher
from worker.memory import rss_bytes
from worker.performing import Performer, Transcribe
from worker.presence import present
from worker.settings import WorkerSettings
from worker.watching import watched

JOBS_AT_ONCE = int(os.environ.get("JOBS_PER_WORKER", "2"))


_FAULTS = {
    "corrupt": CorruptMedia("the script says so"),
    "model": ModelUnavailable("the script says so"),
    "bug": ZeroDivisionError("secret detail"),
}


def transcribe(
    media: Path,
    options: TranscriptionOptions,
    on_progress: OnProgress,
    *,
    batch_share: float,
    on_decoded: OnDecoded,
    on_heard: OnHeard,
    elsewhere: Elsewhere | None,
) -> Transcript:
    """Do what the media says."""
    try:
        script = json.loads(media.read_bytes())
    except ValueError as error:
        msg = "no script for the stand-in"
        raise UnsupportedMedia(msg) from error
    on_decoded(1.0, "script")
    if _is_evil_now(script):
        _be_evil(script)
    if script.get("fail"):
        raise _FAULTS[script["fail"]]
    text = script.get("say", "hello")
    steps = max(1, int(script.get("seconds", 0) / 0.05))
    words = text.split()
    for step in range(max(steps, len(words))):
        on_progress(Stage.TRANSCRIBE, step / max(steps, len(words)))
        if step < len(words):
            on_heard(HeardText(start=float(step), end=step + 1.0, text=f" {words[step]}"))
        time.sleep(script.get("seconds", 0) / steps)
    if script.get("nonce"):
        text = f"{text} {secrets.token_hex(4)}"
    word = Word(word=text, start=0.0, end=1.0, score=0.9, speaker="SPEAKER_00")
    segment = Segment(id=0, start=0.0, end=1.0, text=text, speaker="SPEAKER_00", words=(word,))
    found = Transcript(text=text, language="en", duration=1.0, segments=(segment,))
    changed = found.model_dump() | script.get("transcript", {})
    return Transcript.model_validate_json(json.dumps(changed))


def _is_evil_now(script: dict[str, Any]) -> bool:
    """Whether what is evil in a script happens; with `evil_once` only the first time."""
    mark = script.get("evil_once")
    if mark is None:
        return True
    if Path(mark).exists():
        return False
    Path(mark).touch()
    return True


def _be_evil(script: dict[str, Any]) -> None:
    if script.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    if script.get("segfault"):
        ctypes.string_at(0)
    eaten = bytearray(script.get("eat", 0) * 1024**2)
    eaten[:: resource.getpagesize()] = b"x" * len(eaten[:: resource.getpagesize()])
    if script.get("hang"):
        until = time.monotonic() + script["hang"]
        while time.monotonic() < until:  # deaf to everything, as native code is
            time.sleep(0.1)
    if eaten:
        msg = "the script says so"
        raise OutOfMemory(msg)


def this_machine(host: str, port: int) -> Sequence[str]:
    """Know no name but localhost: nothing that a test asks for may leave this machine."""
    if host != "localhost":
        raise socket.gaierror(socket.EAI_NONAME, "no such host")
    return look_up(host, port)


def main(pipeline: Transcribe = transcribe) -> None:
    """Perform jobs until told to stop, with this pipeline."""
    configure_logging()
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if seen and seen in os.environ.get("BROKEN_GPU", "").split(","):
        msg = "CUDA error: the test says so"
        raise RuntimeError(msg)
    settings, launched = load_settings(WorkerSettings), load_settings(Launched)
    name = settings.name("stand-in")
    client = redis_client.connect(settings.redis_url.get_secret_value())
    store = JobStore(
        client,
        retention_days=settings.retention_days,
        media_retention_days=settings.media_retention_days,
    )
    files = JobFiles(s3.connect(settings), settings.s3_bucket)
    celery = broker.connect(settings)
    activity, drain = Activity(), Drain(settings.drain_seconds)
    leases, dispatch = Leases(client, store), job_dispatch(client, JobQueue(celery, client))
    performer = Performer(
        store=store,
        leases=leases,
        dispatch=dispatch,
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
        transcribe=pipeline,
        activity=activity,
        drain=drain,
        worker=name,
        process=launched.process,
        jobs_at_once=JOBS_AT_ONCE,
        work_dir=settings.work_dir,
    )
    started_at = datetime.now(UTC)
    bereaved = Bereaved(store, leases, dispatch)
    end_in_time(drain, partial(bereaved.put_back, launched.process, None))
    listed = present(
        WorkerRegistry(client),
        lambda: WorkerStatus(
            name=name,
            device="cpu",
            compute_type="none",
            started_at=started_at,
            jobs_at_once=JOBS_AT_ONCE,
            jobs=activity.job_ids(),
            rss_bytes=rss_bytes(),
            process=launched.process,
        ),
    )
    with listed, watched(activity, launched.pipe):
        consume_jobs(celery, performer.perform, name=name, jobs_at_once=JOBS_AT_ONCE, drain=drain)


if __name__ == "__main__":
    main()
