"""Have words placed and speakers told apart by other processes, while this one runs Whisper."""

from collections.abc import Callable, Sequence
from typing import Protocol

from jobs.errors import ModelUnavailable, OutOfMemory, ServiceError
from jobs.options import Task, TranscriptionOptions
from jobs.stages import Stage
from pipeline.account import Account
from pipeline.catalog import catalog
from pipeline.models import OnPull
from pipeline.optional_stage import OptionalStage
from pipeline.progress import OnProgress
from pipeline.pull import locate
from pipeline.settings import PipelineSettings
from pipeline.speech import Diarization, HeardWindow
from pipeline.stage_work import StageDone, StageWork
from pipeline.stages import Times
from pipeline.telling_apart import speakers_not_found
from pipeline.waveform import Waveform


class StageFailed(ServiceError):
    """What was asked of another process did not come."""

    code = "stage_failed"


class Begun(Protocol):
    """A stage on its way to, or at, another process."""

    def done(self, tell: Callable[[float], None]) -> StageDone:
        """Wait for what comes of it.

        Args:
            tell: hears at least every second which share is done, 0 to 1; what it raises leaves
                this call.

        Raises:
            StageFailed: nobody did it, or who did it died, too often.
        """


class Elsewhere(Protocol):
    """The processes that do the stages of one run."""

    def begin(self, work: StageWork, waveforms: Sequence[Waveform]) -> Begun:
        """Have a stage done; returns at once.

        Args:
            work: what.
            waveforms: one for each channel; the same for all stages of a run.

        Raises:
            NobodyWaits: the run is over.
        """


class StagesElsewhere:
    """The stages of one run, done by others; speakers are told apart from the very beginning.

    Args:
        elsewhere: who does it.
        settings: where aligners are; whether there is one for a language is decided here, because
            Whisper gives word times itself where there is none.
        waveforms: of the run, one for each channel.
        options: of the run.
        batch_share: of the usual batches, above 0 to 1.
    """

    def __init__(
        self,
        elsewhere: Elsewhere,
        settings: PipelineSettings,
        waveforms: Sequence[Waveform],
        options: TranscriptionOptions,
        *,
        batch_share: float,
    ) -> None:
        self._elsewhere = elsewhere
        self._settings = settings
        self._waveforms = waveforms
        self._options = options
        self._batch_share = batch_share
        is_wanted = options.diarize and options.task is not Task.DETECT_LANGUAGE
        # Channels are speakers of their own, and where there is no sound nobody speaks.
        self._telling_apart = (
            self._begin_telling_apart()
            if is_wanted and len(waveforms) == 1 and len(waveforms[0])
            else None
        )

    def aligner(self, language: str, on_pull: OnPull) -> "PlacerElsewhere":
        """Return what has the words of a language placed elsewhere.

        Raises:
            ModelUnavailable: there is no aligner for this language, or it cannot be had.
        """
        model = catalog().aligner(language)
        if model is None:
            msg = f"there is no aligner for the language {language!r}"
            raise ModelUnavailable(msg)
        locate(model.name, self._settings, on_pull)
        return PlacerElsewhere(
            self._elsewhere,
            StageWork(
                stage=Stage.ALIGN,
                options=self._options,
                batch_share=self._batch_share,
                language=language,
            ),
            name=model.name,
        )

    def tell_apart(
        self,
        waveform: Waveform,
        options: TranscriptionOptions,
        account: Account,
        on_progress: OnProgress,
        *,
        batch_share: float,
    ) -> Diarization | None:
        """Wait for who spoke when; the arguments are those that this was made with."""
        begun = self._telling_apart or self._begin_telling_apart()
        with OptionalStage() as stage:
            done = checked(begun.done(lambda fraction: on_progress(Stage.DIARIZE, fraction)))
            account.warnings.extend(done.warnings)
            account.ran(**done.models.model_dump(exclude_none=True))
            return done.diarization
        speakers_not_found(account, stage.reason)
        return None

    def _begin_telling_apart(self) -> Begun:
        work = StageWork(stage=Stage.DIARIZE, options=self._options, batch_share=self._batch_share)
        return self._elsewhere.begin(work, self._waveforms)


class PlacerElsewhere:
    """An aligner of another process."""

    def __init__(self, elsewhere: Elsewhere, work: StageWork, *, name: str) -> None:
        self._elsewhere = elsewhere
        self._work = work
        self.name = name

    def times(
        self,
        waveforms: Sequence[Waveform],
        heard: Sequence[Sequence[HeardWindow]],
        *,
        batch_size: int,
        on_progress: OnProgress,
    ) -> list[Times]:
        """Have the words placed; in batches as that process makes them.

        Raises:
            StageFailed: nobody did it, or it failed there.
            OutOfMemory: there.
        """
        on_progress(Stage.ALIGN, 0.0)
        asked = self._work.model_copy(update={"heard": tuple(tuple(mine) for mine in heard)})
        begun = self._elsewhere.begin(asked, waveforms)
        done = checked(begun.done(lambda fraction: on_progress(Stage.ALIGN, fraction)))
        return [list(windows) for windows in done.times]


def checked(done: StageDone) -> StageDone:
    """Return what was done.

    Raises:
        OutOfMemory: there was too little memory for it.
        StageFailed: it failed.
    """
    if done.is_out_of_memory:
        msg = "there is not enough memory for the job where this stage is done"
        raise OutOfMemory(msg)
    if done.failure is not None:
        raise StageFailed(done.failure)
    return done
