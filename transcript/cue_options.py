"""Hold what a client may ask of subtitles."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from transcript.transcript import Value


class CueOptions(Value):
    """What makes a cue readable.

    The defaults are what broadcasters and streaming services ask for: 42 columns, two lines,
    5/6 to 7 seconds, 20 characters a second.
    """

    # In columns: a full-width East Asian character takes two.
    max_chars_per_line: Annotated[int, Field(ge=10, le=200)] = 42
    max_lines_per_cue: Annotated[int, Field(ge=1, le=10)] = 2
    # Reached by showing a cue longer while nothing else is to be shown; no word is ever left out.
    max_chars_per_second: Annotated[float, Field(ge=1, le=200)] | None = 20.0
    min_cue_seconds: Annotated[float, Field(ge=0, le=10)] = 0.83  # where the next cue leaves room
    max_cue_seconds: Annotated[float, Field(ge=1, le=60)] = 7.0
    speaker_labels: bool = True  # "[SPEAKER_00] " before the text, where the speaker is known
    highlight_words: bool = False  # mark each word while it is spoken
    word_level: bool = False  # one cue for each word

    @model_validator(mode="after")
    def _words_have_neighbours(self) -> Self:
        if self.highlight_words and self.word_level:
            msg = "highlight_words marks a word among others, word_level shows it alone: choose one"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _seconds_make_sense(self) -> Self:
        if self.min_cue_seconds > self.max_cue_seconds:
            msg = (
                f"min_cue_seconds ({self.min_cue_seconds:g}) is above "
                f"max_cue_seconds ({self.max_cue_seconds:g})"
            )
            raise ValueError(msg)
        return self
