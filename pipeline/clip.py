"""Say which part of the media is looked at, and keep its times on the media's own clock."""

from dataclasses import dataclass, replace
from typing import Any

from jobs.options import Task, TranscriptionOptions
from pipeline.progress import HeardText, OnHeard
from transcript.transcript import Transcript

# Of the media, where only its language is asked for. More than the music or the greeting that may
# come first, and still a matter of seconds for a film.
LANGUAGE_SECONDS = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A part of the media, in seconds from its start."""

    start: float = 0.0
    end: float | None = None  # after `start`; None: to the end of the media


WHOLE = Clip()


def clip_of(options: TranscriptionOptions) -> Clip:
    """Return the part that a job needs."""
    start, end = options.clip_start or 0.0, options.clip_end
    if options.task is Task.DETECT_LANGUAGE:
        end = min(end or start + LANGUAGE_SECONDS, start + LANGUAGE_SECONDS)
    return Clip(start=start, end=end)


def heard_later(on_heard: OnHeard, seconds: float) -> OnHeard:
    """Let a caller hear of texts with their times moved back by where the clip starts."""

    def tell(heard: HeardText) -> None:
        on_heard(replace(heard, start=heard.start + seconds, end=heard.end + seconds))

    return tell if seconds else on_heard


def moved(transcript: Transcript, seconds: float) -> Transcript:
    """Return a transcript whose segments, words and turns are later by some seconds."""
    if not seconds:
        return transcript

    def later(value: Any, **changes: object) -> Any:
        times = {"start": round(value.start + seconds, 3), "end": round(value.end + seconds, 3)}
        return value.model_copy(update=times | changes)

    return transcript.model_copy(
        update={
            "segments": tuple(
                later(segment, words=tuple(map(later, segment.words)))
                for segment in transcript.segments
            ),
            "turns": tuple(map(later, transcript.turns)),
        }
    )
