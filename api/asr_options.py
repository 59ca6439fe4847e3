"""Say what a client may ask of `/asr`."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from api.drop_in_fields import DropInFields
from jobs.options import ClipSeconds, Language, Priority, Prompt, SpeakerCount


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Shape = Literal["json", "text", "txt", "srt", "vtt", "tsv"]
Format = Annotated[Shape, BeforeValidator(_lower)]
Toggle = bool | None

# Of the fields below, what a job calls by the same name.
_PASSED_ON = {
    "task",
    "language",
    "initial_prompt",
    "hotwords",
    "word_timestamps",
    "num_speakers",
    "min_speakers",
    "max_speakers",
    "return_speaker_embeddings",
    "channels",
    "clip_start",
    "clip_end",
}


class AsrFields(DropInFields):
    """The options of `/asr`."""

    task: Literal["transcribe", "translate"] = "transcribe"
    language: Language | None = Field(default=None, description="unset: detected")
    initial_prompt: Prompt | None = None
    hotwords: Prompt | None = Field(default=None, description="words to expect, with commas")
    word_timestamps: bool = True
    output: Format | None = Field(
        default=None, description="the answer is the text itself; wins over `output_format`"
    )
    output_format: Format | None = Field(
        default=None, description="the answer is JSON with the text in it"
    )
    diarize: Toggle = Field(default=None, description="unset: true, but false with `encode=false`")
    enable_diarization: Toggle = Field(default=None, description="the same; either may ask for it")
    num_speakers: SpeakerCount | None = Field(default=None, description="wins over min and max")
    min_speakers: SpeakerCount | None = None
    max_speakers: SpeakerCount | None = None
    return_speaker_embeddings: bool = False
    channels: Literal["mix", "separate"] = "mix"
    clip_start: ClipSeconds | None = None
    clip_end: ClipSeconds | None = None

    @property
    def wants_speakers(self) -> bool:
        """Whether to tell speakers apart."""
        toggles = (self.diarize, self.enable_diarization)
        if toggles == (None, None):
            # Who sends raw samples is a client of whisper-asr-webservice, which knows no speakers.
            return not self.is_raw
        return True in toggles

    def job_values(self) -> dict[str, Any]:
        """Return the values of the job's options, by name, but for the model."""
        values = self.model_dump(include=_PASSED_ON, exclude_none=True)
        # Somebody is waiting for the answer.
        return values | {"diarize": self.wants_speakers, "priority": Priority.INTERACTIVE}

    def shape(self, *, prefers_text: bool) -> Shape:
        """Return what is asked for, in the client's own word.

        Args:
            prefers_text: whether the client would rather have text/plain than anything else.
        """
        return self.output or self.output_format or ("txt" if prefers_text else "json")

    def is_bare(self, *, prefers_text: bool) -> bool:
        """Whether the answer is the rendering itself rather than JSON around it."""
        return self.shape(prefers_text=prefers_text) != "json" and (
            self.output is not None or prefers_text
        )
