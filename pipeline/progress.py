"""Let a caller follow a run, and stop it."""

from dataclasses import dataclass
from typing import Protocol

from jobs.stages import Stage


class OnProgress(Protocol):
    """Called at least every two seconds while a stage works; with the same as before, if need be.

    It may raise: whatever it raises leaves `Pipeline.run` as it is, and the run is over. That
    is how a canceled job frees its worker.
    """

    def __call__(self, stage: Stage, fraction: float) -> None:
        """Take note that `fraction` (0 to 1, never falling within a stage) of a stage is done."""


class OnDecoded(Protocol):
    """Called once, as soon as it is known what the media is."""

    def __call__(self, seconds: float, codec: str) -> None:
        """Take note of how much of the media was looked at and the name of its audio codec.

        Args:
            seconds: from the start of the media to its end, or to the end of the clip.
            codec: FFmpeg's name, such as "aac".
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardText:
    """Some text as soon as it is recognised, before its words have times and speakers."""

    start: float  # seconds from the start of the media: where the speech begins
    end: float
    text: str  # as Whisper wrote it, with its leading white space


class OnHeard(Protocol):
    """Called for every window of speech in which there is text, in the order of time.

    The texts joined are the transcript's `text`, but for white space at its edges; of separated
    channels, whose windows overlap, they are the same words in another order. What it raises ends
    the run, as with OnProgress.
    """

    def __call__(self, heard: HeardText, /) -> None:
        """Take note of what was recognised."""


class LastProgress:
    """Passes progress on, and says it again where nothing is new."""

    def __init__(self, on_progress: OnProgress, *, stage: Stage = Stage.DECODE) -> None:
        self._on_progress = on_progress
        self._stage = stage  # that a run begins with
        self._fraction = 0.0

    def __call__(self, stage: Stage, fraction: float) -> None:
        """Pass on how far a stage is; within one stage it never falls."""
        same = stage is self._stage
        self._stage, self._fraction = stage, max(self._fraction, fraction) if same else fraction
        self.again()

    def again(self) -> None:
        """Tell once more what was told last."""
        self._on_progress(self._stage, self._fraction)


def unheard(stage: Stage, fraction: float) -> None:
    """Follow nothing."""


def untold(seconds: float, codec: str) -> None:
    """Note nothing."""


def unsaid(heard: HeardText) -> None:
    """Listen to nothing."""


def part_of(on_progress: OnProgress, part: int, parts: int, *, share: float = 1.0) -> OnProgress:
    """Let one of several equal parts, counted from 0, of a share of a stage tell its progress."""
    return lambda stage, fraction: on_progress(stage, share * (part + fraction) / parts)
