"""Stream a transcript to clients of the OpenAI audio API, while it is being made."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from flask import Response
from pydantic import BaseModel, Field

from api import server_sent
from api.connections import abort
from api.error_models import OpenAIErrorBody
from api.held_answers import transcript_of
from api.holding import Holding
from api.job_faults import fault_of
from api.live_text import LiveText
from api.openai_answers import (
    DiarizedSegment,
    DurationUsage,
    diarized_segments,
    usage_of,
    warnings_of,
)
from api.openai_options import OpenAIFields, ResponseFormat
from api.problems import openai_error, status_of
from api.waiting import ClientGone
from jobs.errors import ServiceError
from jobs.files import JobFiles
from jobs.job import Job
from transcript.transcript import TranscriptWarning

log = logging.getLogger(__name__)


class TextDelta(BaseModel):
    """Some more text; joined, the deltas are the whole."""

    type: Literal["transcript.text.delta"] = "transcript.text.delta"
    delta: str


class TextDone(BaseModel):
    """The whole text: the last event of a stream."""

    type: Literal["transcript.text.done"] = "transcript.text.done"
    text: str
    usage: DurationUsage
    warnings: tuple[TranscriptWarning, ...] = Field(default=(), exclude_if=lambda all_: not all_)


class StreamFailed(BaseModel):
    """Why there is no transcript: the last event of a stream."""

    type: Literal["error"] = "error"
    error: OpenAIErrorBody


Event = TextDelta | DiarizedSegment | TextDone | StreamFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptStream:
    """The events of one request."""

    holding: Holding
    live: LiveText
    files: JobFiles
    fields: OpenAIFields
    beat_seconds: float  # between two signs of life
    environ: dict[str, Any] = field(repr=False)  # of the request

    def answer(self) -> Response:
        """Return the answer, which begins at once and ends with the job."""
        headers = {**server_sent.HEADERS, "X-Job-ID": self.holding.job.id}
        return Response(self.parts(), mimetype=server_sent.MEDIA_TYPE, headers=headers)

    def parts(self) -> Iterator[bytes]:
        """Yield the answer's bytes, outside of the request's context."""
        yield server_sent.comment()  # so that the head is sent, before anything is said
        try:
            yield from self._while_it_runs()
            yield from map(_event, self._ending(self.holding.job))
        except ClientGone:
            # It may have closed only its sending side, and still read.
            abort(self.environ)
        except ServiceError as error:
            log.warning("%s: %s", error.code, error, extra={"job_id": self.holding.job.id})
            yield _event(_failed(status_of(error), error.code, error.message))
        except Exception:
            log.exception("a stream broke off", extra={"job_id": self.holding.job.id})
            message = "a fault of this service; its log says more"
            yield _event(_failed(500, "internal", message))

    def _while_it_runs(self) -> Iterator[bytes]:
        def has_news(job: Job) -> bool:
            return job.status.is_final or self.live.listen()

        while not self.holding.wait(seconds=self.beat_seconds, until=has_news).status.is_final:
            pieces = self.live.take()
            yield from (_event(TextDelta(delta=piece)) for piece in pieces)
            if not pieces:
                yield server_sent.comment()

    def _ending(self, job: Job) -> Iterator[Event]:
        fault = fault_of(job)
        if fault is not None:
            yield _failed(fault.status, fault.code, fault.detail)
            return
        transcript = transcript_of(job, self.files)
        # Pieces that wait to be told are in the transcript too.
        rest = self.live.rest_of(transcript.text)
        if rest:
            yield TextDelta(delta=rest)
        if self.fields.response_format is ResponseFormat.DIARIZED_JSON:
            yield from diarized_segments(transcript)
        yield TextDone(
            text=transcript.text,
            usage=usage_of(transcript),
            warnings=warnings_of(transcript, self.fields),
        )


def _event(shown: Event) -> bytes:
    return server_sent.event(shown.type, shown.model_dump_json())


def _failed(status: int, code: str, message: str) -> StreamFailed:
    return StreamFailed(error=OpenAIErrorBody.model_validate(openai_error(status, code, message)))
