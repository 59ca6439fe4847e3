"""Do one stage of a job that another process runs.

What is asked and what is answered go from process to process as JSON; the sound goes beside it.
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from jobs.options import TranscriptionOptions
from jobs.stages import Stage
from pipeline.account import Account
from pipeline.batching import reduced
from pipeline.device import Device
from pipeline.models import Models, pulling
from pipeline.optional_stage import OptionalStage
from pipeline.progress import OnProgress
from pipeline.speech import Diarization, HeardWindow, WordTime
from pipeline.stages import StagesHere
from pipeline.waveform import Waveform
from transcript import transcript as result


class _Value(BaseModel):
    # An aligner's score may be no number, and must arrive as it is: what becomes of it is decided
    # where the words are put together, whoever placed them.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class StageWork(_Value):
    """What is asked of another process."""

    stage: Literal[Stage.ALIGN, Stage.DIARIZE]
    options: TranscriptionOptions
    batch_share: float  # of the usual batches there, above 0 to 1
    language: str = ""  # of the words to be placed
    heard: tuple[tuple[HeardWindow, ...], ...] = ()  # for each channel the windows to be aligned


class StageDone(_Value):
    """What another process answers."""

    diarization: Diarization | None = None  # None also where telling apart failed: see `warnings`
    times: tuple[tuple[tuple[WordTime | None, ...], ...], ...] = ()  # channels, windows, words
    models: result.Models = result.Models()
    warnings: tuple[result.TranscriptWarning, ...] = ()
    failure: str | None = None  # why there is nothing, for a client's eyes
    is_out_of_memory: bool = False


def do_stage(
    work: StageWork,
    waveforms: Sequence[Waveform],
    models: Models,
    device: Device,
    on_progress: OnProgress,
) -> StageDone:
    """Do what another process asks for.

    Args:
        work: what.
        waveforms: one for each channel; of all channels mixed to be told apart.
        models: of this process.
        device: of this process; its batches are used, whatever they are elsewhere.
        on_progress: hears of the stage; what it raises leaves this call.

    Raises:
        MemoryError and its relatives: what `memory_faults.is_out_of_memory` knows.
    """
    if work.stage is Stage.ALIGN:
        return _placed(work, waveforms, models, device, on_progress)
    account = Account()
    found = StagesHere(models).tell_apart(
        waveforms[0], work.options, account, on_progress, batch_share=work.batch_share
    )
    return StageDone(diarization=found, models=account.models(), warnings=tuple(account.warnings))


def _placed(
    work: StageWork,
    waveforms: Sequence[Waveform],
    models: Models,
    device: Device,
    on_progress: OnProgress,
) -> StageDone:
    with OptionalStage() as stage:
        aligner = StagesHere(models).aligner(work.language, pulling(on_progress, Stage.ALIGN))
        times = aligner.times(
            waveforms,
            work.heard,
            batch_size=reduced(device.batch_size, work.batch_share),
            on_progress=on_progress,
        )
        return StageDone(times=tuple(tuple(windows) for windows in times))
    return StageDone(failure=stage.reason)
