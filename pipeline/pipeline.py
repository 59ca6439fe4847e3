"""Turn media into a transcript: decode, transcribe, align, diarize."""

import logging
import tempfile
from pathlib import Path

from jobs.errors import ModelUnavailable
from jobs.options import TranscriptionOptions
from pipeline.decoding import decode
from pipeline.device import choose_device
from pipeline.models import Models
from pipeline.progress import OnDecoded, OnProgress, unheard, untold
from pipeline.run import Run
from pipeline.settings import PipelineSettings
from pipeline.telemetry import phone_nobody
from pipeline.threads import wait_passively
from transcript.transcript import Transcript

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

    def warm_up(self) -> None:
        """Load what nearly every job needs, so that the first one does not wait for it.

        Raises:
            ModelUnavailable: the default Whisper model cannot be had.
        """
        self._models.whisper(self.device.default_model)
        try:
            self._models.diarizer()
        except ModelUnavailable as error:
            # Each job says so in a warning, and runs the bundled diarizer or none.
            log.warning("no diarizer loaded: %s", error)

    def loaded_models(self) -> tuple[str, ...]:
        """Return the names of the models in memory."""
        return self._models.loaded()

    def run(
        self,
        media: Path,
        options: TranscriptionOptions,
        on_progress: OnProgress = unheard,
        *,
        on_decoded: OnDecoded = untold,
    ) -> Transcript:
        """Write down what is said in a file, when, and by whom.

        Args:
            media: any audio or video file.
            options: what the client asked for.
            on_progress: called at least every two seconds; what it raises ends the run and
                reaches the caller as it is.
            on_decoded: called once, with the media's length in seconds and its audio codec.

        Returns:
            The transcript; without segments if nobody speaks. A stage that failed but can be
            done without is a warning in it.

        Raises:
            MediaError: this media, or this combination of media and model, cannot be processed.
            ModelUnavailable: the Whisper model is not here and cannot be had.
        """
        with tempfile.TemporaryDirectory(
            prefix="whisperline-", dir=self._settings.work_dir
        ) as directory:
            decoded = decode(
                media,
                Path(directory),
                max_seconds=self._settings.max_audio_seconds,
                timeout_seconds=self._settings.decode_timeout_seconds,
                on_progress=on_progress,
            )
            on_decoded(decoded.seconds, decoded.codec)
            run = Run(
                settings=self._settings,
                device=self.device,
                models=self._models,
                options=options,
                on_progress=on_progress,
            )
            return run.transcript(decoded)
