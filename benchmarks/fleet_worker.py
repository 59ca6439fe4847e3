"""A worker of the simulated fleet: all of it is real but its pipeline, which waits.

`python -m benchmarks.fleet_worker launch` is the real launcher over such workers. A line of
JSON goes to FLEET_DIRECTORY/<process>.jsonl as the pipeline begins with a job, and as it ends:

    {"job_id": "job_…", "at": 123.4, "is_end": false, "s3": {"PutObject": 7}}

`at` is the machine's monotonic second, the same for all processes; `s3` is how many requests of
each kind the process has sent by then, tries again included.
"""

import json
import os
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import boto3

from jobs.logs import configure_logging
from jobs.options import TranscriptionOptions
from jobs.stages import Stage
from pipeline.progress import HeardText, OnDecoded, OnHeard, OnProgress
from pipeline.stages_elsewhere import Elsewhere
from tests.integration import stand_in_worker
from transcript.transcript import Segment, Transcript, Word
from worker.launching import launch

SPREAD = 0.5  # a job takes this much more or less of its usual time; in step, all would end at once
# Of this pipeline on the sample call, two cores, `python -m benchmarks stages --quick` at 72e6854:
# 9.7 s in all. What counts is how they compare: a job takes as long as its media says.
STAGE_SECONDS = {Stage.TRANSCRIBE: 2.84, Stage.ALIGN: 3.90, Stage.DIARIZE: 2.96}
_STEP_SECONDS = 0.5  # between two signs of progress, about what Whisper takes for a window
_WORDS = 80  # of a transcript: half a minute of speech


class Requests:
    """Counts the requests to S3 of all clients that are made afterwards in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: Counter[str] = Counter()
        session = boto3.Session()
        session.events.register("before-send.s3", self._count)
        boto3.DEFAULT_SESSION = session  # what `boto3.client` uses

    def _count(self, event_name: str, **_: Any) -> None:
        with self._lock:
            self._sent[event_name.rpartition(".")[2]] += 1

    def sent(self) -> dict[str, int]:
        """Return how many there were by now, by operation."""
        with self._lock:
            return dict(self._sent)


class Waiting:
    """A pipeline that takes its time and tells of its progress, as on a GPU.

    Args:
        out: where its lines go.
        requests: to S3.
    """

    def __init__(self, out: Path, requests: Requests) -> None:
        self._out = out
        self._requests = requests

    def __call__(
        self,
        media: Path,
        options: TranscriptionOptions,
        on_progress: OnProgress,
        *,
        batch_share: float,
        on_decoded: OnDecoded,
        on_heard: OnHeard,
        elsewhere: Elsewhere | None,
    ) -> Transcript:
        """Wait for about as many seconds as the media says; about: see SPREAD."""
        job_id = media.parent.name.rpartition("-")[0]
        seconds = json.loads(media.read_bytes())["seconds"] * spread(job_id)
        on_decoded(30.0, "script")
        began = time.monotonic()
        self._write(job_id, at=began, is_end=False)
        try:
            self._wait(began, seconds, on_progress, on_heard)
        finally:
            # A GPU would have been idle for what this overslept.
            self._write(job_id, at=min(time.monotonic(), began + seconds), is_end=True)
        return _TRANSCRIPT

    @staticmethod
    def _wait(began: float, seconds: float, on_progress: OnProgress, on_heard: OnHeard) -> None:
        steps = max(1, round(seconds / _STEP_SECONDS))
        for step in range(steps):
            stage, fraction = stage_at(step / steps)
            on_progress(stage, fraction)
            if stage is Stage.TRANSCRIBE:
                on_heard(HeardText(start=float(step), end=step + 1.0, text=" so they said"))
            # Against the clock: what reporting takes, a GPU would compute on meanwhile.
            until = began + seconds * (step + 1) / steps
            time.sleep(max(0.0, until - time.monotonic()))

    def _write(self, job_id: str, *, at: float, is_end: bool) -> None:
        line = {"job_id": job_id, "at": at, "is_end": is_end, "s3": self._requests.sent()}
        with self._out.open("a") as file:  # one write each, which no other thread's comes between
            file.write(json.dumps(line) + "\n")


def stage_at(done: float) -> tuple[Stage, float]:
    """Return the stage that is at work after a share of a job's time, and how far that is."""
    seconds = done * sum(STAGE_SECONDS.values())
    for stage, its_seconds in STAGE_SECONDS.items():
        if seconds < its_seconds:
            return stage, seconds / its_seconds
        seconds -= its_seconds
    return stage, 1.0


def spread(job_id: str) -> float:
    """Return by which factor a job takes longer than usual, the same each time."""
    return random.Random(job_id).uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311 - no secret


def _said() -> Transcript:
    words = tuple(
        Word(word=f"word{n}", start=n * 0.4, end=n * 0.4 + 0.3, score=0.9, speaker="SPEAKER_00")
        for n in range(_WORDS)
    )
    text = " ".join(word.word for word in words)
    segment = Segment(
        id=0, start=0.0, end=_WORDS * 0.4, text=text, speaker="SPEAKER_00", words=words
    )
    return Transcript(text=text, language="en", duration=_WORDS * 0.4, segments=(segment,))


_TRANSCRIPT = _said()


def main() -> None:
    """Launch workers, or be one."""
    if sys.argv[1:] == ["launch"]:
        configure_logging()
        launch((sys.executable, "-m", "benchmarks.fleet_worker"))
    out = Path(os.environ["FLEET_DIRECTORY"]) / f"{os.getpid()}.jsonl"
    stand_in_worker.main(Waiting(out, Requests()))


if __name__ == "__main__":
    main()
