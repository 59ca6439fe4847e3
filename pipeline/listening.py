"""Write down what is said in all channels of a recording, and when."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobs.errors import ModelUnavailable
from jobs.options import Task, TranscriptionOptions
from jobs.stages import Stage
from pipeline.account import Account
from pipeline.cross_attention import align_heard_window
from pipeline.language_detection import DetectedLanguage, detect_language
from pipeline.models import pulling
from pipeline.optional_stage import OptionalStage
from pipeline.progress import OnHeard, OnProgress
from pipeline.speech import HeardWindow, Span, SpokenWord, Window
from pipeline.stages import Stages, Times, WordPlacer
from pipeline.transcribing import transcribe
from pipeline.voice_activity import SPEECH_SHARE
from pipeline.waveform import SAMPLE_RATE, Waveform
from pipeline.word_times import spoken_words

if TYPE_CHECKING:
    from pipeline.whisper import WhisperRecognizer
    from pipeline.whisper_passes import Sound

CROSS_ATTENTION = "whisper cross-attention"  # what transcripts call the aligner that needs no model


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechChannel:
    """The sound of one channel, or of all of them mixed, and where somebody speaks in it."""

    waveform: Waveform
    spans: tuple[Span, ...]
    windows: tuple[Window, ...]

    @property
    def speech_seconds(self) -> float:
        """How long somebody speaks, in all."""
        return sum(span.end - span.start for span in self.spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenChannel:
    """What was said in one channel."""

    heard: tuple[HeardWindow, ...]
    words: tuple[SpokenWord, ...]


@dataclass(slots=True, kw_only=True)
class Listener:
    """One job's way from speech to words with their times."""

    stages: Stages
    batch_size: int  # windows in one pass of Whisper and of the aligner
    options: TranscriptionOptions
    account: Account
    on_progress: OnProgress
    on_heard: OnHeard
    # Of the windows that told the language: at most five, until their turn comes to be recognised.
    _sounds: "dict[Window, Sound]" = field(default_factory=dict)

    def language(
        self, channels: Sequence[SpeechChannel], recognizer: "WhisperRecognizer"
    ) -> DetectedLanguage:
        """Detect the language, on the channel in which most is said; somebody must speak."""
        channel = max(channels, key=lambda each: each.speech_seconds)
        return detect_language(
            channel.waveform,
            channel.windows,
            recognizer,
            on_progress=self.on_progress,
            batch_size=self.batch_size,
            sounds=self._sounds,
        )

    def words(
        self, channels: Sequence[SpeechChannel], recognizer: "WhisperRecognizer", language: str
    ) -> list[SpokenChannel]:
        """Return what is said in each channel.

        Raises:
            UnsuitableModel: the model was not trained for the language or the task.
        """
        aligner = self._aligner(language)
        heard = transcribe(
            [channel.waveform for channel in channels],
            sorted(
                (window for channel in channels for window in channel.windows),
                key=lambda window: window.start,
            ),
            recognizer,
            self.options,
            language,
            batch_size=self.batch_size,
            with_times=aligner is None,
            on_progress=self.on_progress,
            on_heard=self.on_heard,
            sounds=self._sounds,
        )
        by_channel = [
            [each for each in heard if each.window.channel == number]
            for number in range(len(channels))
        ]
        times = self._times(channels, by_channel, aligner, recognizer)
        return [
            SpokenChannel(
                heard=tuple(mine),
                words=tuple(
                    spoken_words(mine, placed, media_seconds=len(channel.waveform) / SAMPLE_RATE)
                ),
            )
            for channel, mine, placed in zip(channels, by_channel, times, strict=True)
        ]

    def _aligner(self, language: str) -> WordPlacer | None:
        """Return the language's own aligner; None where Whisper's cross-attention has to do."""
        # A translation has no sound of its own; and where nobody asks for the times of words,
        # those that cross-attention gives are enough to find their speakers.
        if self.options.task is Task.TRANSLATE or not self.options.word_timestamps:
            return None
        on_pull = pulling(self.on_progress, Stage.TRANSCRIBE, after=SPEECH_SHARE)
        try:
            return self.stages.aligner(language, on_pull)
        except ModelUnavailable as error:
            self.account.warn(
                "aligner_unavailable",
                Stage.ALIGN,
                f"word times are Whisper's own, as a rule exact to 0.1-0.2 s: {error.message}",
            )
            return None

    def _times(
        self,
        channels: Sequence[SpeechChannel],
        heard: Sequence[Sequence[HeardWindow]],
        aligner: WordPlacer | None,
        recognizer: "WhisperRecognizer",
    ) -> list[Times]:
        if aligner is None or not any(heard):
            self.account.ran(aligner=CROSS_ATTENTION)
            return [[each.times or () for each in mine] for mine in heard]
        with OptionalStage():
            times = aligner.times(
                [channel.waveform for channel in channels],
                heard,
                batch_size=self.batch_size,
                on_progress=self.on_progress,
            )
            self.account.ran(aligner=aligner.name)
            return times
        self.account.warn(
            "alignment_failed",
            Stage.ALIGN,
            "the aligner failed on this media; word times are Whisper's own instead",
        )
        self.account.ran(aligner=CROSS_ATTENTION)
        return self._cross_attention_times(channels, heard, recognizer)

    def _cross_attention_times(
        self,
        channels: Sequence[SpeechChannel],
        heard: Sequence[Sequence[HeardWindow]],
        recognizer: "WhisperRecognizer",
    ) -> list[Times]:
        """Find the times that the recognition was not asked for, because an aligner was there."""
        language = next(each.language for mine in heard for each in mine)
        plan = recognizer.plan(language=language, task=self.options.task)
        total = sum(map(len, heard))
        times: list[Times] = []
        done = 0
        for channel, mine in zip(channels, heard, strict=True):
            times.append([])
            for each in mine:
                times[-1].append(align_heard_window(channel.waveform, each, recognizer, plan))
                done += 1
                self.on_progress(Stage.ALIGN, done / total)
        return times
