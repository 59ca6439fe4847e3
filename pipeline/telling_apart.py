"""Tell the speakers of a recording apart, without failing the job where that fails."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from jobs.errors import ModelUnavailable
from jobs.options import TranscriptionOptions
from jobs.stages import Stage
from pipeline.account import Account
from pipeline.diarizing import Diarizer
from pipeline.models import Models, pulling
from pipeline.optional_stage import OptionalStage
from pipeline.progress import OnProgress
from pipeline.speech import Diarization
from pipeline.waveform import Waveform


def tell_apart(
    waveform: Waveform,
    models: Models,
    options: TranscriptionOptions,
    account: Account,
    on_progress: OnProgress,
    *,
    batch_share: float = 1.0,
) -> Diarization | None:
    """Find who spoke when; None if that failed, which the account then says.

    Args:
        waveform: what is looked at of the media, mixed.
        models: of this process.
        options: the numbers of speakers and whether to return embeddings are read.
        account: notes what ran and what did not.
        on_progress: hears of Stage.DIARIZE.
        batch_share: of the diarizer's usual batches, above 0 to 1.
    """
    with OptionalStage() as stage, _diarizer(models, account, on_progress) as diarizer:
        found = diarizer.diarize(
            waveform,
            num_speakers=options.num_speakers,
            min_speakers=options.min_speakers,
            max_speakers=options.max_speakers,
            with_embeddings=options.return_speaker_embeddings,
            on_progress=on_progress,
            batch_share=batch_share,
        )
        account.ran(diarizer=diarizer.name)
        _check_count(found, options.num_speakers, account)
        return found
    speakers_not_found(account, stage.reason)
    return None


def speakers_not_found(account: Account, reason: str) -> None:
    """Note that the transcript lacks speakers, and why, for a client's eyes."""
    account.warn(
        "diarization_failed",
        Stage.DIARIZE,
        f"the speakers could not be told apart ({reason}); the text is complete",
    )


@contextmanager
def _diarizer(models: Models, account: Account, on_progress: OnProgress) -> Iterator[Diarizer]:
    on_pull = pulling(on_progress, Stage.DIARIZE)
    with ExitStack() as used:
        try:
            diarizer = used.enter_context(models.using_diarizer(on_pull))
        except ModelUnavailable as error:
            account.warn(
                "diarizer_unavailable",
                Stage.DIARIZE,
                f"the bundled diarizer ran instead of community-1: {error.message}",
            )
            diarizer = used.enter_context(models.using_bundled_diarizer(on_pull))
        yield diarizer


def _check_count(found: Diarization, asked: int | None, account: Account) -> None:
    count = len({turn.speaker for turn in found.turns})
    if asked is not None and count != asked:
        account.warn(
            "speaker_count_not_reached",
            Stage.DIARIZE,
            f"speakers asked for: {asked}, found: {count}. The media may hold too little speech to "
            "tell so many apart.",
        )
