"""Write what clients of the OpenAI audio API read."""

from typing import Any, Literal

from flask_openapi3 import MediaType, Schema
from pydantic import BaseModel, Field, RootModel

from api import server_sent
from api.openai_options import WITHOUT_EFFECT, OpenAIFields, ResponseFormat
from jobs.languages import LANGUAGES
from jobs.options import Task
from transcript.cue_options import CueOptions
from transcript.renderings import RENDERINGS, render
from transcript.transcript import Segment, Transcript, TranscriptWarning, Word

UNKNOWN = "unknown"  # a language where nobody speaks, a speaker where nobody was told apart
FRAMES_PER_SECOND = 100  # Whisper's; it counts `seek` in them


def _is_empty(value: object) -> bool:
    return value is None or value == ()


class DurationUsage(BaseModel):
    """What a transcript cost."""

    type: Literal["duration"] = "duration"
    seconds: float = Field(description="of the media")


class OpenAITranscript(BaseModel):
    """`json`: the text."""

    text: str
    usage: DurationUsage
    warnings: tuple[TranscriptWarning, ...] = Field(
        default=(),
        exclude_if=_is_empty,
        description="what the transcript lacks, and which fields had no effect; absent: nothing",
    )


class OpenAIWord(BaseModel):
    """A spoken word."""

    word: str
    start: float  # seconds
    end: float
    speaker: str | None = Field(default=None, exclude_if=_is_empty)


class OpenAISegment(BaseModel):
    """What was said in one go, with Whisper's numbers for the window that it was heard in."""

    id: int
    seek: int = Field(description="where it starts, in frames of 10 ms")
    start: float  # seconds
    end: float
    text: str
    tokens: tuple[int, ...] = Field(default=(), description="always empty")
    temperature: float | None
    avg_logprob: float | None
    compression_ratio: float | None
    no_speech_prob: float | None
    speaker: str | None = Field(default=None, exclude_if=_is_empty)


class VerboseTranscript(OpenAITranscript):
    """`verbose_json`: the text and its segments."""

    task: Task
    language: str = Field(description="its English name, in lower case; of a translation: english")
    duration: float  # seconds, of the media
    segments: tuple[OpenAISegment, ...]
    words: tuple[OpenAIWord, ...] | None = Field(
        default=None,
        exclude_if=lambda words: words is None,
        description="with `timestamp_granularities[]=word`",
    )


class DiarizedSegment(BaseModel):
    """What one speaker said in one go; in a stream, an event."""

    type: Literal["transcript.text.segment"] = "transcript.text.segment"
    id: str
    start: float  # seconds
    end: float
    text: str
    speaker: str = Field(description="SPEAKER_00 and so on; `unknown` where it could not be told")


class DiarizedTranscript(OpenAITranscript):
    """`diarized_json`: who said what."""

    task: Task
    duration: float  # seconds, of the media
    segments: tuple[DiarizedSegment, ...]


class OpenAIAnswer(RootModel[OpenAITranscript | VerboseTranscript | DiarizedTranscript]):
    """A transcript, as `response_format` says."""


OpenAIAnswer.model_config["openapi_extra"] = {  # type: ignore[typeddict-unknown-key]
    "description": "the transcript in the format that was asked for; or, with `stream`, events",
    "content": {
        media_type: MediaType(schema=Schema(type="string"))
        for media_type in (
            "text/plain",
            *(RENDERINGS[name].media_type for name in ("srt", "vtt")),
            server_sent.MEDIA_TYPE,
        )
    },
}


def content(transcript: Transcript, fields: OpenAIFields, task: Task) -> bytes:
    """Return the body of an answer in the format that was asked for; UTF-8."""
    wanted = fields.response_format
    cues = CueOptions(speaker_labels=fields.is_diarized)
    if wanted in (ResponseFormat.SRT, ResponseFormat.VTT):
        return render(transcript, wanted, cues)
    if wanted is ResponseFormat.TEXT:
        # With speakers a line for each turn; otherwise the text as the other formats have it.
        if fields.is_diarized:
            return render(transcript, "txt", cues)
        return f"{transcript.text}\n".encode()
    return _json_answer(transcript, fields, task).model_dump_json().encode()


def _json_answer(transcript: Transcript, fields: OpenAIFields, task: Task) -> OpenAITranscript:
    shared: dict[str, Any] = {
        "text": transcript.text,
        "usage": usage_of(transcript),
        "warnings": warnings_of(transcript, fields),
    }
    if fields.response_format is ResponseFormat.JSON:
        return OpenAITranscript.model_construct(**shared)
    shared |= {"task": task, "duration": transcript.duration}
    if fields.response_format is ResponseFormat.DIARIZED_JSON:
        return DiarizedTranscript.model_construct(**shared, segments=diarized_segments(transcript))
    return VerboseTranscript.model_construct(
        **shared,
        language=_language(transcript, task),
        segments=tuple(_segment(segment, fields) for segment in transcript.segments),
        words=_words(transcript, fields) if fields.has_words else None,
    )


def usage_of(transcript: Transcript) -> DurationUsage:
    """Return what a transcript cost."""
    return DurationUsage(seconds=transcript.duration)


def warnings_of(transcript: Transcript, fields: OpenAIFields) -> tuple[TranscriptWarning, ...]:
    """Return what a client should know of its transcript, and of what it asked for in vain."""
    return transcript.warnings + tuple(
        TranscriptWarning(
            code="without_effect", stage="request", message=f"{name}: {WITHOUT_EFFECT[name]}"
        )
        for name in fields.without_effect
    )


def diarized_segments(transcript: Transcript) -> tuple[DiarizedSegment, ...]:
    """Return who said what, by start."""
    return tuple(
        DiarizedSegment.model_construct(
            id=f"seg_{segment.id}",
            start=segment.start,
            end=segment.end,
            text=segment.text,
            speaker=segment.speaker or UNKNOWN,
        )
        for segment in transcript.segments
    )


def _language(transcript: Transcript, task: Task) -> str:
    if task is Task.TRANSLATE:
        return LANGUAGES["en"]
    return LANGUAGES.get(transcript.language or "", UNKNOWN)


def _segment(segment: Segment, fields: OpenAIFields) -> OpenAISegment:
    return OpenAISegment.model_construct(
        id=segment.id,
        seek=round(segment.start * FRAMES_PER_SECOND),
        start=segment.start,
        end=segment.end,
        text=segment.text,
        temperature=segment.temperature,
        avg_logprob=segment.avg_logprob,
        compression_ratio=segment.compression_ratio,
        no_speech_prob=segment.no_speech_prob,
        speaker=segment.speaker if fields.is_diarized else None,
    )


def _words(transcript: Transcript, fields: OpenAIFields) -> tuple[OpenAIWord, ...]:
    return tuple(_word(word, fields) for segment in transcript.segments for word in segment.words)


def _word(word: Word, fields: OpenAIFields) -> OpenAIWord:
    return OpenAIWord.model_construct(
        word=word.word,
        start=word.start,
        end=word.end,
        speaker=word.speaker if fields.is_diarized else None,
    )
