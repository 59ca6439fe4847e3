"""Carry one job's sound through the stages after decoding."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobs.errors import ModelUnavailable
from jobs.options import Task, TranscriptionOptions
from jobs.stages import Stage
from pipeline.aligner_models import Aligner
from pipeline.aligning import align
from pipeline.cross_attention import align_heard_window
from pipeline.decoding import DecodedMedia
from pipeline.device import Device
from pipeline.diarizing import Diarizer
from pipeline.language_detection import DetectedLanguage, detect_language
from pipeline.models import Models, OnPull
from pipeline.optional_stage import OptionalStage
from pipeline.progress import OnProgress
from pipeline.segmenting import segments, speakers
from pipeline.settings import PipelineSettings
from pipeline.speaker_assignment import assign_speakers
from pipeline.speech import Diarization, HeardWindow, SpokenWord, Window, WordTime
from pipeline.transcribing import transcribe
from pipeline.turn_edges import reach_to_turns
from pipeline.voice_activity import find_speech
from pipeline.waveform import Waveform
from pipeline.windows import windows_of
from pipeline.word_times import spoken_words
from transcript import transcript as result

if TYPE_CHECKING:
    from pipeline.whisper import WhisperRecognizer

log = logging.getLogger(__name__)

CROSS_ATTENTION = "whisper cross-attention"  # what transcripts call the aligner that needs no model


@dataclass(slots=True, kw_only=True)
class Run:
    """One job's way through the stages; what ran, and what did not, is kept for its transcript."""

    settings: PipelineSettings
    device: Device
    models: Models
    options: TranscriptionOptions
    on_progress: OnProgress
    _ran: dict[str, str] = field(default_factory=dict)  # as transcript.Models has it
    _warnings: list[result.TranscriptWarning] = field(default_factory=list)

    def transcript(self, media: DecodedMedia) -> result.Transcript:
        """Return what is said in decoded media.

        Raises:
            UnsuitableModel, ModelUnavailable: of the Whisper model; nothing goes without it.
        """
        self._warnings.extend(media.warnings)
        windows = self._windows(media)
        language, heard, times = self._heard(media.waveform, windows)
        words = spoken_words(heard, times, media_seconds=media.seconds)
        diarization = self._diarization(media.waveform) if words else None
        if diarization is not None:
            words = assign_speakers(
                words,
                diarization.exclusive,
                overlapping=diarization.turns,
                fill_nearest=self.settings.diarize_fill_nearest,
            )
        return self._result(media, language, words, heard, diarization)

    def _windows(self, media: DecodedMedia) -> tuple[Window, ...]:
        self.on_progress(Stage.TRANSCRIBE, 0.0)
        spans = find_speech(
            media.waveform,
            method=self.settings.vad,
            device=self.device.name,
            on_progress=self.on_progress,
        )
        self._ran["vad"] = self.settings.vad
        return windows_of(spans, media_seconds=media.seconds)

    def _heard(
        self, waveform: Waveform, windows: Sequence[Window]
    ) -> tuple[DetectedLanguage | None, list[HeardWindow], list[tuple[WordTime | None, ...]]]:
        """Return the language, what was heard, and when each word was said."""
        name = self.options.model or self.device.default_model
        recognizer = self.models.whisper(name, self._pulling(Stage.TRANSCRIBE))
        named = self.options.language
        if named is not None:
            # Refused even where nobody speaks: the same request must not depend on the media.
            recognizer.plan(language=named, task=self.options.task)
        if not windows:
            return None, [], []
        self._ran["whisper"] = name
        language = (
            DetectedLanguage(code=named, probability=None)
            if named
            else detect_language(waveform, windows, recognizer, on_progress=self.on_progress)
        )
        aligner = self._aligner(language.code)
        heard = transcribe(
            waveform,
            windows,
            recognizer,
            self.options,
            language.code,
            batch_size=self.device.batch_size,
            with_times=aligner is None,
            on_progress=self.on_progress,
        )
        if aligner is None or not heard:
            self._ran["aligner"] = CROSS_ATTENTION
            return language, heard, [each.times or () for each in heard]
        return language, heard, self._aligned(waveform, heard, aligner, recognizer)

    def _aligner(self, language: str) -> Aligner | None:
        """Return the language's own aligner; None where Whisper's cross-attention has to do."""
        # A translation has no sound of its own; and where nobody asks for the times of words,
        # those that cross-attention gives are enough to find their speakers.
        if self.options.task is Task.TRANSLATE or not self.options.word_timestamps:
            return None
        try:
            return self.models.aligner(language, self._pulling(Stage.TRANSCRIBE))
        except ModelUnavailable as error:
            self._warn(
                "aligner_unavailable",
                Stage.ALIGN,
                f"word times are Whisper's own, as a rule exact to 0.1-0.2 s: {error.message}",
            )
            return None

    def _aligned(
        self,
        waveform: Waveform,
        heard: list[HeardWindow],
        aligner: Aligner,
        recognizer: "WhisperRecognizer",
    ) -> list[tuple[WordTime | None, ...]]:
        with OptionalStage(self.on_progress) as stage:
            times = align(
                waveform,
                heard,
                aligner,
                batch_size=self.device.batch_size,
                on_progress=stage.on_progress,
            )
            self._ran["aligner"] = aligner.name
            return times
        self._warn(
            "alignment_failed",
            Stage.ALIGN,
            "the aligner failed on this media; word times are Whisper's own instead",
        )
        self._ran["aligner"] = CROSS_ATTENTION
        plan = recognizer.plan(language=heard[0].language, task=self.options.task)
        aligned: list[tuple[WordTime | None, ...]] = []
        for count, each in enumerate(heard, start=1):
            aligned.append(align_heard_window(waveform, each, recognizer, plan))
            self.on_progress(Stage.ALIGN, count / len(heard))
        return aligned

    def _diarization(self, waveform: Waveform) -> Diarization | None:
        options = self.options
        if not options.diarize:
            return None
        with OptionalStage(self.on_progress) as stage:
            diarizer = self._diarizer()
            found = diarizer.diarize(
                waveform,
                num_speakers=options.num_speakers,
                min_speakers=options.min_speakers,
                max_speakers=options.max_speakers,
                with_embeddings=options.return_speaker_embeddings,
                on_progress=stage.on_progress,
            )
            self._ran["diarizer"] = diarizer.name
            return found
        self._warn(
            "diarization_failed",
            Stage.DIARIZE,
            f"the speakers could not be told apart ({stage.reason}); the text is complete",
        )
        return None

    def _diarizer(self) -> Diarizer:
        on_pull = self._pulling(Stage.DIARIZE)
        try:
            return self.models.diarizer(on_pull)
        except ModelUnavailable as error:
            self._warn(
                "diarizer_unavailable",
                Stage.DIARIZE,
                f"the bundled diarizer ran instead of community-1: {error.message}",
            )
            return self.models.bundled_diarizer(on_pull)

    def _result(
        self,
        media: DecodedMedia,
        language: DetectedLanguage | None,
        words: Sequence[SpokenWord],
        heard: Sequence[HeardWindow],
        diarization: Diarization | None,
    ) -> result.Transcript:
        found = segments(words, heard)
        turns = diarization.turns if diarization else ()
        found = reach_to_turns(found, turns)
        embeddings = diarization.embeddings if diarization else {}
        who = speakers(found, embeddings)
        if not self.options.word_timestamps:
            found = tuple(segment.model_copy(update={"words": ()}) for segment in found)
        return result.Transcript(
            text="".join(word.text for word in words).strip(),
            language=language.code if language else self.options.language,
            language_confidence=language.probability if language else None,
            duration=round(media.seconds, 3),
            segments=found,
            speakers=who,
            turns=tuple(
                result.Turn(start=round(t.start, 3), end=round(t.end, 3), speaker=t.speaker)
                for t in turns
            ),
            models=result.Models(**self._ran),
            warnings=tuple(self._warnings),
        )

    def _warn(self, code: str, stage: Stage, message: str) -> None:
        warning = result.TranscriptWarning(code=code, stage=stage, message=message)
        log.info("warning %s: %s", code, message)
        self._warnings.append(warning)

    def _pulling(self, stage: Stage) -> OnPull:
        """Let a caller stop a run that waits for a model to arrive."""
        return lambda fraction: self.on_progress(stage, 0.0)
