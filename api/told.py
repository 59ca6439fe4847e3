"""Know what a client was told of its job, and what it is to be told next.

status       StatusEvent, at once and whenever status, stage or attempt change
progress     ProgressEvent, at most twice a second
segment      SegmentEvent: text as it is recognised; its id resumes behind it
done         the whole job, as `GET /v1/jobs/{id}` answers it: there is nothing more to tell
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

from pydantic import BaseModel

from api.job_view import JobView
from api.server_sent import event
from jobs.heard import Heard, HeardSegment
from jobs.job import Job
from jobs.stages import Stage
from jobs.status import JobStatus

PROGRESS_SECONDS = 0.5  # at least, between two `progress`
_SEGMENT_ID = re.compile(r"\d{1,6}-(?P<index>\d{1,6})-\d{1,12}", flags=re.ASCII)


class StatusEvent(BaseModel):
    """Where a job stands."""

    id: str
    status: JobStatus
    stage: Stage | None
    progress: float
    attempt: int
    queue_position: int | None


class ProgressEvent(BaseModel):
    """How much of a job is done, from 0 to 1."""

    progress: float
    stage: Stage | None


class SegmentEvent(HeardSegment):
    """Some text, before its words have times and speakers."""

    index: int  # its place in the text; one that was there before means: all from here anew


@dataclass(slots=True, kw_only=True)
class Told:
    """What a client knows of its job.

    What one look finds is told before the next look, so a client that reads slowly makes nothing
    pile up here.
    """

    position: Callable[[Job], int | None]  # in its queue
    heard: Heard
    is_over: bool = False
    _count: int = 0  # segments of the list that the client has or is not to have
    _last_id: str = ""  # of the last of them
    _state: tuple[object, ...] = ()
    _progress: float = 0.0
    _quiet_until: float = 0.0  # on the monotonic clock: no `progress` before

    @classmethod
    def up_to(cls, last_id: str, *, position: Callable[[Job], int | None], heard: Heard) -> "Told":
        """Return what a client knows whose last event had this id; another id is as none."""
        found = _SEGMENT_ID.fullmatch(last_id)
        if found is None:
            return cls(position=position, heard=heard)
        return cls(position=position, heard=heard, _count=int(found["index"]) + 1, _last_id=last_id)

    @property
    def quiet_seconds(self) -> float:
        """How long progress is not to be told; 0: it is."""
        return max(0.0, self._quiet_until - time.monotonic())

    def news(self, job: Job) -> bytes:
        """Return the events that the client lacks, and count them as told.

        Raises:
            StoreUnavailable: Redis is away; nothing counts as told.
        """
        unheard = self._unheard(job)
        state = (job.status, job.stage, job.attempt)
        if state != self._state:
            told = _status(job, self.position(job))
            self._state, self._progress = state, job.progress
        else:
            told = self._progressed(job)
        told += self._segments(job, unheard)
        if job.status.is_final and not unheard:
            self.is_over = True
            told += event("done", JobView.of(job).model_dump_json(warnings=False), done_id(job))
        return told

    def _progressed(self, job: Job) -> bytes:
        if job.progress == self._progress or self.quiet_seconds:
            return b""
        self._progress = job.progress
        self._quiet_until = time.monotonic() + PROGRESS_SECONDS
        shown = ProgressEvent(progress=job.progress, stage=job.stage)
        return event("progress", shown.model_dump_json())

    def _unheard(self, job: Job) -> list[HeardSegment]:
        """Return the next segments; those of an attempt that `job` does not know yet wait."""
        found = self.heard.since(job.id, max(0, self._count - 1))
        # The last one comes once more: where another stands in its place, the list was begun anew.
        # The attempt does not tell, as one that a worker handed back is not counted.
        if self._count and found and _segment_id(found[0], self._count - 1) == self._last_id:
            del found[0]
        elif self._count:
            self._count = 0
            found = self.heard.since(job.id, 0)
        return list(takewhile(lambda segment: segment.attempt <= job.attempt, found))

    def _segments(self, job: Job, unheard: list[HeardSegment]) -> bytes:
        told = []
        for index, segment in enumerate(unheard, start=self._count):
            self._last_id = _segment_id(segment, index)
            if segment.attempt == job.attempt:  # not what an earlier one left
                shown = SegmentEvent(**segment.model_dump(), index=index)
                told.append(event("segment", shown.model_dump_json(), self._last_id))
        self._count += len(unheard)
        return b"".join(told)


def done_id(job: Job) -> str:
    """Name this end of a job; after a retry it has another."""
    ended = 0.0 if job.finished_at is None else job.finished_at.timestamp()
    return f"done-{round(1000 * ended)}"


def _status(job: Job, queue_position: int | None) -> bytes:
    shown = StatusEvent(
        id=job.id,
        status=job.status,
        stage=job.stage,
        progress=job.progress,
        attempt=job.attempt,
        queue_position=queue_position,
    )
    return event("status", shown.model_dump_json())


def _segment_id(segment: HeardSegment, index: int) -> str:
    return f"{segment.attempt}-{index}-{round(1000 * segment.end)}"
