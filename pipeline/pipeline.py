"""Turn media into a transcript: decode, transcribe, align, diarize."""

import logging
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from jobs.errors import ModelUnavailable, OutOfMemory
from jobs.options import Channels, TranscriptionOptions
from pipeline.awaiting import Caller, followed
from pipeline.clip import clip_of
from pipeline.decoding import DecodedMedia, decode
from pipeline.device import choose_device
from pipeline.eviction import IdleSweep
from pipeline.memory_faults import free_memory, is_out_of_memory
from pipeline.models import Models
from pipeline.progress import (
    LastProgress,
    OnDecoded,
    OnHeard,
    OnProgress,
    unheard,
    unsaid,
    untold,
)
from pipeline.run import Run
from pipeline.settings import PipelineSettings
from pipeline.stage_work import StageDone, StageWork, do_stage
from pipeline.stages import Stages, StagesHere
from pipeline.stages_elsewhere import Elsewhere, StagesElsewhere
from pipeline.telemetry import phone_nobody
from pipeline.threads import wait_passively
from pipeline.waveform import Waveform
from transcript.transcript import Transcript

T = TypeVar("T")

log = logging.getLogger(__name__)


class Pipeline:
    """The whole way from sound to text; one instance serves any number of threads."""

    def __init__(self, settings: PipelineSettings) -> None:
        """Settle where to run; models are loaded when they are first needed.

        Raises:
            DeviceMissing: the settings name a device or number format that is not here.
        """
        phone_nobody()
        wait_passively()
        self._settings = settings
        self.device = choose_device(settings)
        self._models = Models(settings, self.device)
        self._sweep = IdleSweep(
            self.unload_idle, interval_seconds=settings.model_eviction_interval_seconds
        )
        if settings.model_keep_alive_seconds or settings.max_loaded_models:
            self._sweep.start()

    def warm_up(self, *, whisper: bool = True, diarizer: bool = True) -> None:
        """Load what nearly every job needs, so that the first one does not wait for it.

        Args:
            whisper: True: jobs are run here.
            diarizer: True: speakers are told apart here.

        Raises:
            ModelUnavailable: the default Whisper model cannot be had.
        """
        if whisper:
            self._models.whisper(self.device.default_model)
        if not diarizer:
            return
        try:
            with self._models.using_diarizer():
                pass
        except ModelUnavailable as error:
            # Each job says so in a warning, and runs the bundled diarizer or none.
            log.warning("no diarizer loaded: %s", error)

    def loaded_models(self) -> tuple[str, ...]:
        """Return the names of the models in memory."""
        return self._models.loaded()

    def unload_idle(self) -> tuple[str, ...]:
        """Unload at once what the sweep would; return the names."""
        return self._models.evict_idle()

    def evictions(self) -> dict[str, int]:
        """Return how often each model was unloaded while nobody used it, by name."""
        return self._models.evictions()

    def run(
        self,
        media: Path,
        options: TranscriptionOptions,
        on_progress: OnProgress = unheard,
        *,
        batch_share: float = 1.0,
        on_decoded: OnDecoded = untold,
        on_heard: OnHeard = unsaid,
        elsewhere: Elsewhere | None = None,
    ) -> Transcript:
        """Write down what is said in a file, when, and by whom.

        Args:
            media: any audio or video file.
            options: what the client asked for.
            on_progress: called at least every second or so, in this thread, whatever the stage is
                at. What it raises leaves this call at once and as it is; what is computed at that
                moment ends by itself, soon, and keeps its files and models until then.
            batch_share: how much of the usual batch to use, from above 0 to 1; less takes less
                memory.
            on_decoded: called once, with how much of the media was looked at, from its start, in
                seconds, and its audio codec.
            on_heard: called with every stretch of text as soon as it is recognised, in the order of
                time, before its words have times and speakers; may raise, as `on_progress`.
            elsewhere: who places the words and tells the speakers apart; None: this process.

        Returns:
            The transcript; without segments if nobody speaks. A stage that failed but can be
            done without is a warning in it. Of a clip too, all times are on the media's own clock,
            and `duration` is where looking ended: the end of the clip or of the media. With
            `channels` separate, each channel that can be told from the others is a speaker, named
            by its number, whether or not `diarize` is asked for.

        Raises:
            MediaError: this media, or this combination of media and model, cannot be processed.
            ModelUnavailable: the Whisper model is not here and cannot be had.
            OutOfMemory: of the machine or its GPU, in any stage; a smaller `batch_share` may do.
        """
        progress = LastProgress(on_progress)

        def compute(caller: Caller[Transcript]) -> Transcript:
            return self._transcript(
                media,
                options,
                batch_share=batch_share,
                on_progress=lambda *step: caller.tell(partial(progress, *step)),
                on_decoded=lambda *found: caller.tell(partial(on_decoded, *found)),
                on_heard=lambda heard: caller.tell(partial(on_heard, heard)),
                elsewhere=elsewhere,
            )

        return self._followed(compute, progress)

    def run_stage(
        self, work: StageWork, waveforms: Sequence[Waveform], on_progress: OnProgress = unheard
    ) -> StageDone:
        """Do one stage of a run that is another process'; `on_progress` is called as in `run`.

        Raises:
            OutOfMemory: as in `run`.
        """
        progress = LastProgress(on_progress, stage=work.stage)

        def compute(caller: Caller[StageDone]) -> StageDone:
            return do_stage(
                work,
                waveforms,
                self._models,
                self.device,
                lambda *step: caller.tell(partial(progress, *step)),
            )

        return self._followed(compute, progress)

    def _followed(self, compute: Callable[[Caller[T]], T], progress: LastProgress) -> T:
        try:
            return followed(compute, progress.again, name="pipeline")
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            log.warning("out of memory: %s", error)
        # Outside of the block above, in which the error still holds all that was computed with.
        self._models.evict_unused()
        free_memory()
        msg = "there is not enough memory on this worker for the job"
        raise OutOfMemory(msg)

    def _transcript(
        self,
        media: Path,
        options: TranscriptionOptions,
        *,
        batch_share: float,
        on_progress: OnProgress,
        on_decoded: OnDecoded,
        on_heard: OnHeard,
        elsewhere: Elsewhere | None,
    ) -> Transcript:
        with tempfile.TemporaryDirectory(
            prefix="whisperline-", dir=self._settings.work_dir
        ) as directory:
            decoded = decode(
                media,
                Path(directory),
                max_seconds=self._settings.max_audio_seconds,
                timeout_seconds=self._settings.decode_timeout_seconds,
                on_progress=on_progress,
                clip=clip_of(options),
                separate=options.channels is Channels.SEPARATE,
            )
            on_decoded(decoded.seconds, decoded.codec)
            run = Run(
                settings=self._settings,
                device=self.device,
                models=self._models,
                stages=self._stages(elsewhere, decoded, options, batch_share),
                options=options,
                batch_share=batch_share,
                on_progress=on_progress,
                on_heard=on_heard,
            )
            return run.transcript(decoded)

    def _stages(
        self,
        elsewhere: Elsewhere | None,
        decoded: DecodedMedia,
        options: TranscriptionOptions,
        batch_share: float,
    ) -> Stages:
        if elsewhere is None:
            return StagesHere(self._models)
        return StagesElsewhere(
            elsewhere, self._settings, decoded.waveforms, options, batch_share=batch_share
        )
