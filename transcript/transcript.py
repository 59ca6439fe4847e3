"""Hold what was said, when, and by whom."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]  # from the start of the media
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]  # a probability


class Value(BaseModel):
    """A frozen value that crosses process boundaries as JSON, where NaN does not exist."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Word(Value):
    """One spoken word; in languages written without spaces, one group of characters."""

    word: str  # without surrounding white space
    start: Seconds
    end: Seconds  # never before `start`
    score: Share | None = None  # None: the times were borrowed from the neighbours
    speaker: str | None = None  # a label of `Transcript.speakers`; None: unknown


class Segment(Value):
    """What one speaker said: at most one sentence, or about 15 seconds."""

    id: int  # counts from 0
    start: Seconds
    end: Seconds  # never before `start`
    text: (
        str  # as written, its words in order, with the language's own spacing; no edge white space
    )
    speaker: str | None = None
    words: tuple[Word, ...] = ()  # in spoken order, inside the segment; may be empty
    confidence: Share | None = None  # exp(avg_logprob)
    # What Whisper says of the window that the segment was heard in.
    avg_logprob: float | None = None
    no_speech_prob: Share | None = None
    compression_ratio: float | None = None
    temperature: float | None = None


class Speaker(Value):
    """Somebody who was heard."""

    label: str  # SPEAKER_00, SPEAKER_01 … in order of appearance
    seconds: Seconds  # how long this speaker's segments are, in all
    embedding: tuple[float, ...] | None = None  # on request


class Turn(Value):
    """A stretch in which one speaker talks, whether or not words were understood in it."""

    start: Seconds
    end: Seconds
    speaker: str


class Models(Value):
    """Which models really ran; None: that stage did not run."""

    whisper: str | None = None
    vad: str | None = None
    aligner: str | None = None
    diarizer: str | None = None


class TranscriptWarning(Value):
    """Something that a success lacks: a stage that failed, a tail that could not be decoded."""

    code: str
    stage: str
    message: str  # what happened and what to do, for a client's eyes


class Transcript(Value):
    """All that a job produces; every rendering is made from this alone."""

    text: str
    language: str | None  # Whisper's code, such as "en"; None: nothing was said
    language_confidence: Share | None = None  # None: the client named the language
    duration: Seconds  # of the media
    segments: tuple[Segment, ...] = ()  # by start
    speakers: tuple[Speaker, ...] = ()  # in order of appearance
    turns: tuple[Turn, ...] = ()  # by start; where two people talk at once, turns overlap
    models: Models = Models()
    warnings: tuple[TranscriptWarning, ...] = ()
