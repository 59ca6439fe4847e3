"""Let whoever runs a job say where its words are placed and its speakers told apart."""

from collections.abc import Sequence
from typing import Protocol

from jobs.options import TranscriptionOptions
from jobs.stages import Stage
from pipeline.account import Account
from pipeline.aligning import align
from pipeline.models import Models, OnPull, pulling
from pipeline.progress import OnProgress, part_of
from pipeline.speech import Diarization, HeardWindow, WordTime
from pipeline.telling_apart import tell_apart
from pipeline.waveform import Waveform

Times = list[tuple[WordTime | None, ...]]  # one entry a window, in it one a word


class WordPlacer(Protocol):
    """An aligner, wherever it is."""

    @property
    def name(self) -> str:
        """What transcripts call it."""

    def times(
        self,
        waveforms: Sequence[Waveform],
        heard: Sequence[Sequence[HeardWindow]],
        *,
        batch_size: int,
        on_progress: OnProgress,
    ) -> list[Times]:
        """Give the words of all channels their times, as `aligning.align` does.

        Args:
            waveforms: one for each channel.
            heard: for each channel its windows.
            batch_size: windows in one pass of the network, where it runs in this process.
            on_progress: hears of Stage.ALIGN; what it raises is not caught.
        """


class Stages(Protocol):
    """The stages after Whisper, wherever they are done."""

    def aligner(self, language: str, on_pull: OnPull) -> WordPlacer:
        """Return what places the words of a language.

        Raises:
            ModelUnavailable: there is none for this language, or it cannot be had.
        """

    def tell_apart(
        self,
        waveform: Waveform,
        options: TranscriptionOptions,
        account: Account,
        on_progress: OnProgress,
        *,
        batch_share: float,
    ) -> Diarization | None:
        """Find who spoke when, as `telling_apart.tell_apart` does."""


class StagesHere:
    """The stages as this process does them."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def aligner(self, language: str, on_pull: OnPull) -> "PlacerHere":
        """Load the language's aligner, unless it is loaded."""
        with self._models.using_aligner(language, on_pull) as aligner:
            return PlacerHere(self._models, aligner.name, language)

    def tell_apart(
        self,
        waveform: Waveform,
        options: TranscriptionOptions,
        account: Account,
        on_progress: OnProgress,
        *,
        batch_share: float,
    ) -> Diarization | None:
        """Find who spoke when."""
        return tell_apart(
            waveform, self._models, options, account, on_progress, batch_share=batch_share
        )


class PlacerHere:
    """An aligner of this process."""

    def __init__(self, models: Models, name: str, language: str) -> None:
        self._models = models
        self._language = language
        self.name = name

    def times(
        self,
        waveforms: Sequence[Waveform],
        heard: Sequence[Sequence[HeardWindow]],
        *,
        batch_size: int,
        on_progress: OnProgress,
    ) -> list[Times]:
        """Place the words of one channel after the other."""
        # Only now is it held: for as long as Whisper listens before, it may be idle and leave.
        on_pull = pulling(on_progress, Stage.ALIGN)
        with self._models.using_aligner(self._language, on_pull) as aligner:
            return [
                align(
                    waveform,
                    mine,
                    aligner,
                    batch_size=batch_size,
                    on_progress=part_of(on_progress, number, len(waveforms)),
                )
                for number, (waveform, mine) in enumerate(zip(waveforms, heard, strict=True))
            ]
