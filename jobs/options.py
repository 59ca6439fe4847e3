"""Hold what a client asks of a transcription, checked before anything is stored."""

import json
from enum import StrEnum
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from jobs.languages import language_code
from jobs.webhook import Webhook

# Every name of faster-whisper 1.2; which weights each stands for is in pipeline/catalog.toml.
WHISPER_MODELS = (
    "tiny.en",
    "tiny",
    "base.en",
    "base",
    "small.en",
    "small",
    "medium.en",
    "medium",
    "large-v1",
    "large-v2",
    "large-v3",
    "large",
    "distil-large-v2",
    "distil-large-v3",
    "distil-large-v3.5",
    "distil-medium.en",
    "distil-small.en",
    "large-v3-turbo",
    "turbo",
)

MAX_SPEAKERS = 32  # more than pyannote tells apart in practice; bounds the clustering
MAX_CLIP_SECONDS = 7 * 24 * 3600  # of the media's clock; a week
MAX_PROMPT_CHARACTERS = 2_000  # Whisper reads 224 tokens of it; the rest is cut by the tokenizer


class Task(StrEnum):
    """What to do with the words."""

    TRANSCRIBE = "transcribe"  # write them down in their own language
    TRANSLATE = "translate"  # write them down in English
    DETECT_LANGUAGE = "detect_language"  # say which language it is, and nothing else


class Channels(StrEnum):
    """What to do with media that has several channels."""

    MIX = "mix"  # one waveform of all of them
    SEPARATE = "separate"  # each is a speaker of its own, as in recorded telephone calls


def _known_language(text: str) -> str:
    code = language_code(text)
    if code is None:
        msg = f"unknown language {text[:40]!r}: send a Whisper code such as 'en', or leave it out"
        raise ValueError(msg)
    return code


def _known_model(name: str) -> str:
    # Deployments may allow further names (ALLOWED_MODELS), so the full check is the front
    # door's; this one refuses what could be taken for a path or another hub repository.
    if "/" in name or "\\" in name or ".." in name:
        msg = "a model is named, not addressed: no slashes"
        raise ValueError(msg)
    return name


Language = Annotated[str, StringConstraints(max_length=40), AfterValidator(_known_language)]
ModelName = Annotated[
    str, StringConstraints(min_length=1, max_length=100), AfterValidator(_known_model)
]
Prompt = Annotated[str, StringConstraints(max_length=MAX_PROMPT_CHARACTERS)]
SpeakerCount = Annotated[int, Field(ge=1, le=MAX_SPEAKERS)]
ClipSeconds = Annotated[float, Field(ge=0, le=MAX_CLIP_SECONDS, allow_inf_nan=False)]


class TranscriptionOptions(BaseModel):
    """What the pipeline needs to know; None leaves the choice to the service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: ModelName | None = None  # one of WHISPER_MODELS or ALLOWED_MODELS
    language: Language | None = None  # a Whisper code; None: detected on the speech
    task: Task = Task.TRANSCRIBE
    initial_prompt: Prompt | None = None
    hotwords: Prompt | None = None
    word_timestamps: bool = True
    diarize: bool = True
    num_speakers: SpeakerCount | None = None  # exact; wins over the two below
    min_speakers: SpeakerCount | None = None
    max_speakers: SpeakerCount | None = None
    return_speaker_embeddings: bool = False
    channels: Channels = Channels.MIX
    clip_start: ClipSeconds | None = None  # seconds; what was said before is left out
    clip_end: ClipSeconds | None = None  # seconds; what was said after is left out
    # Of the first try at each window; 0: beam search. Doubtful texts are tried at higher ones.
    temperature: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _clip_makes_sense(self) -> Self:
        if self.clip_end is not None and self.clip_end <= (self.clip_start or 0.0):
            msg = f"clip_end ({self.clip_end:g}) is not after clip_start ({self.clip_start or 0:g})"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _speakers_make_sense(self) -> Self:
        low, high = self.min_speakers, self.max_speakers
        if low is not None and high is not None and low > high:
            msg = f"min_speakers ({low}) is above max_speakers ({high})"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _model_fits(self) -> Self:
        if self.model is None or not self.model.endswith(".en"):
            return self
        if self.language not in (None, "en"):
            msg = f"model {self.model!r} knows English only, not {self.language!r}"
            raise ValueError(msg)
        if self.task is Task.TRANSLATE:
            msg = f"model {self.model!r} cannot translate: choose a multilingual one"
            raise ValueError(msg)
        return self


class Priority(StrEnum):
    """Which queue a job waits in; a free worker takes from the first one that has work."""

    INTERACTIVE = "interactive"  # somebody is waiting for the answer
    NORMAL = "normal"
    BATCH = "batch"  # a backlog that drains in the background


ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200)]
MAX_METADATA_BYTES = 16 * 1024  # kept in Redis with the record


def _small(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        text = json.dumps(metadata, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        msg = "metadata must be plain JSON: finite numbers, valid text, not too deep"
        raise ValueError(msg) from error
    if len(text) > MAX_METADATA_BYTES:
        msg = f"metadata is over {MAX_METADATA_BYTES} bytes as JSON"
        raise ValueError(msg)
    return metadata


class JobOptions(TranscriptionOptions):
    """Everything a client may say of a job; what the service itself adds is in `Job`."""

    priority: Priority = Priority.NORMAL
    external_id: ShortText | None = None  # the client's own name for it
    tags: Annotated[tuple[ShortText, ...], Field(max_length=20)] = ()
    metadata: Annotated[dict[str, JsonValue], AfterValidator(_small)] = Field(default_factory=dict)
    # Days after its end until a job is purged with all its files; None: what the service keeps.
    retention_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    # Days after its end until the media alone is deleted; 0: at once when it has succeeded.
    media_retention_days: Annotated[int, Field(ge=0, le=3650)] | None = None
    webhook: Webhook | None = None  # who is told of it, besides its owner's endpoints
