"""Let a caller follow a run, and stop it."""

from typing import Protocol

from jobs.stages import Stage


class OnProgress(Protocol):
    """Called at least every two seconds while a stage works.

    It may raise: whatever it raises leaves `Pipeline.run` as it is, and the run is over. That
    is how a canceled job frees its worker.
    """

    def __call__(self, stage: Stage, fraction: float) -> None:
        """Take note that `fraction` (0 to 1, never falling within a stage) of a stage is done."""


class OnDecoded(Protocol):
    """Called once, as soon as it is known what the media is."""

    def __call__(self, seconds: float, codec: str) -> None:
        """Take note of the length of the media and the name of its audio codec."""


def unheard(stage: Stage, fraction: float) -> None:
    """Follow nothing."""


def untold(seconds: float, codec: str) -> None:
    """Note nothing."""
