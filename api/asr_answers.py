"""Write the JSON that clients of the replaced service read."""

from collections.abc import Iterable
from math import isfinite

from pydantic import BaseModel, Field

from transcript.transcript import Segment, Speaker, Transcript, TranscriptWarning, Word


def _is_none(value: object) -> bool:
    return value is None


class AsrWord(BaseModel):
    """A spoken word."""

    word: str
    start: float  # seconds
    end: float
    score: float | None = Field(description="0 to 1; null: the times are its neighbours'")
    # Absent where it is not known, as those clients expect.
    speaker: str | None = Field(default=None, exclude_if=_is_none)

    @classmethod
    def of(cls, word: Word) -> "AsrWord":
        """Return what is shown of a word."""
        return cls.model_construct(
            word=word.word,
            start=word.start,
            end=word.end,
            score=_finite(word.score),
            speaker=word.speaker,
        )


class AsrSegment(BaseModel):
    """What one speaker said in one go."""

    start: float  # seconds
    end: float
    text: str
    speaker: str | None = Field(default=None, exclude_if=_is_none)
    words: tuple[AsrWord, ...]

    @classmethod
    def of(cls, segment: Segment) -> "AsrSegment":
        """Return what is shown of a segment."""
        return cls.model_construct(
            start=segment.start,
            end=segment.end,
            text=segment.text,
            speaker=segment.speaker,
            words=tuple(AsrWord.of(word) for word in segment.words),
        )


class AsrAnswer(BaseModel):
    """A transcript, as the replaced service answers it."""

    text: tuple[AsrSegment, ...] = Field(description="the same as `segments`")
    language: str | None = Field(description="a Whisper code; null: nobody speaks")
    segments: tuple[AsrSegment, ...]
    word_segments: tuple[AsrWord, ...]
    warnings: tuple[TranscriptWarning, ...] = Field(
        description="what the transcript lacks, such as speakers when telling them apart failed"
    )
    speaker_embeddings: dict[str, tuple[float, ...]] | None = Field(
        default=None, exclude_if=_is_none, description="with `return_speaker_embeddings`"
    )

    @classmethod
    def of(cls, transcript: Transcript) -> "AsrAnswer":
        """Return what is shown of a transcript."""
        segments = tuple(AsrSegment.of(segment) for segment in transcript.segments)
        heard = {segment.speaker for segment in segments}
        return cls.model_construct(
            text=segments,
            language=transcript.language,
            segments=segments,
            word_segments=tuple(word for segment in segments for word in segment.words),
            warnings=transcript.warnings,
            speaker_embeddings=_embeddings(s for s in transcript.speakers if s.label in heard),
        )


def _embeddings(speakers: Iterable[Speaker]) -> dict[str, tuple[float, ...]] | None:
    """Return the embeddings that are numbers; None where there is none."""
    found = {
        speaker.label: speaker.embedding
        for speaker in speakers
        if speaker.embedding and all(map(isfinite, speaker.embedding))
    }
    return found or None


def _finite(score: float | None) -> float | None:
    return score if score is not None and isfinite(score) else None
