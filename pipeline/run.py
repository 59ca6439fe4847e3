"""Carry one job's sound through the stages after decoding."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from jobs.options import Task, TranscriptionOptions
from jobs.stages import Stage
from pipeline.account import Account
from pipeline.awaiting import Caller, beside
from pipeline.batching import reduced
from pipeline.channels import BY_CHANNEL, label_of, merged, turns_of
from pipeline.clip import heard_later, moved
from pipeline.decoding import DecodedMedia
from pipeline.device import Device
from pipeline.language_detection import DetectedLanguage
from pipeline.listening import Listener, SpeechChannel, SpokenChannel
from pipeline.models import Models, pulling
from pipeline.progress import OnHeard, OnProgress, part_of
from pipeline.segmenting import segments, speakers
from pipeline.settings import PipelineSettings
from pipeline.speaker_assignment import assign_speakers
from pipeline.speech import Diarization
from pipeline.stages import Stages
from pipeline.turn_edges import reach_to_turns
from pipeline.voice_activity import SPEECH_SHARE, find_speech
from pipeline.waveform import SAMPLE_RATE
from pipeline.windows import windows_of
from transcript import transcript as result

if TYPE_CHECKING:
    from pipeline.whisper import WhisperRecognizer

NOTHING_FOUND = Diarization(turns=(), exclusive=(), embeddings={})

TellApart = Callable[[], Diarization | None]  # finds who spoke when; None: that failed


@dataclass(slots=True, kw_only=True)
class Run:
    """One job's way through the stages; its clock starts where the clip does, to the very end."""

    settings: PipelineSettings
    device: Device
    models: Models
    stages: Stages
    options: TranscriptionOptions
    batch_share: float  # of the usual batch sizes, above 0 to 1
    on_progress: OnProgress
    on_heard: OnHeard
    side_by_side: bool | None = None  # look for speakers beside the text; None: where that helps
    _account: Account = field(default_factory=Account)

    def transcript(self, media: DecodedMedia) -> result.Transcript:
        """Return what is said in decoded media, on the media's own clock.

        Raises:
            UnsuitableModel, ModelUnavailable: of the Whisper model; nothing goes without it.
        """
        self._account.warnings.extend(media.warnings)
        channels = self._channels(media)
        with self._telling_apart(channels) as tell_them_apart:
            language, spoken = self._spoken(media, channels)
            diarization = NOTHING_FOUND
            if spoken and len(channels) > 1:
                spoken, diarization = self._by_channel(channels, spoken)
            elif spoken and spoken[0].words and self.options.diarize:
                spoken, diarization = self._told_apart(spoken[0], tell_them_apart)
        return moved(self._result(media, language, spoken, diarization), media.start)

    def _channels(self, media: DecodedMedia) -> list[SpeechChannel]:
        self.on_progress(Stage.TRANSCRIBE, 0.0)
        channels = []
        for number, waveform in enumerate(media.waveforms):
            spans = find_speech(
                waveform,
                method=self.settings.vad,
                device=self.device.name,
                on_progress=part_of(
                    self.on_progress, number, len(media.waveforms), share=SPEECH_SHARE
                ),
                share=1.0,
            )
            seconds = len(waveform) / SAMPLE_RATE
            windows = windows_of(spans, media_seconds=seconds, channel=number)
            channels.append(SpeechChannel(waveform=waveform, spans=spans, windows=windows))
        self._account.ran(vad=self.settings.vad)
        return channels

    def _spoken(
        self, media: DecodedMedia, channels: Sequence[SpeechChannel]
    ) -> tuple[DetectedLanguage | None, list[SpokenChannel]]:
        """Return the language and what was said; nothing where only the language is asked for."""
        listener = Listener(
            stages=self.stages,
            batch_size=reduced(self.device.batch_size, self.batch_share),
            options=self.options,
            account=self._account,
            on_progress=self.on_progress,
            on_heard=heard_later(self.on_heard, media.start),
        )
        name = self.options.model or self.device.default_model
        on_pull = pulling(self.on_progress, Stage.TRANSCRIBE, after=SPEECH_SHARE)
        with self.models.using_whisper(name, on_pull) as recognizer:
            named = self._named_language(recognizer)
            if not any(channel.windows for channel in channels):
                return named, []
            self._account.ran(whisper=name)
            language = named or listener.language(channels, recognizer)
            if self.options.task is Task.DETECT_LANGUAGE:
                self.on_progress(Stage.TRANSCRIBE, 1.0)
                return language, []
            return language, listener.words(channels, recognizer, language.code)

    def _named_language(self, recognizer: "WhisperRecognizer") -> DetectedLanguage | None:
        """Return the language that the client named, unless it is what the client asks."""
        named, task = self.options.language, self.options.task
        if named is None or task is Task.DETECT_LANGUAGE:
            return None
        # Refused even where nobody speaks: the same request must not depend on the media.
        recognizer.plan(language=named, task=task)
        return DetectedLanguage(code=named, probability=None)

    def _by_channel(
        self, channels: Sequence[SpeechChannel], spoken: Sequence[SpokenChannel]
    ) -> tuple[list[SpokenChannel], Diarization]:
        """Let each channel be a speaker."""
        self._account.ran(diarizer=BY_CHANNEL)
        turns = turns_of([channel.spans for channel in channels])
        labelled = [
            replace(
                each, words=tuple(replace(word, speaker=label_of(number)) for word in each.words)
            )
            for number, each in enumerate(spoken)
        ]
        return labelled, replace(NOTHING_FOUND, turns=turns)

    @contextmanager
    def _telling_apart(self, channels: Sequence[SpeechChannel]) -> Iterator[TellApart]:
        """Lend what finds the speakers, which may be at work during the whole block."""
        if not self._goes_beside(channels):
            yield lambda: self._speakers(channels[0], self._account, self.on_progress)
            return
        account = Account()  # of its own, so that warnings keep the order of the stages

        def find(caller: Caller[Diarization | None]) -> Diarization | None:
            return self._speakers(
                channels[0],
                account,
                # Told when the text is done: a job is in one stage at a time.
                lambda *step: caller.tell(partial(self.on_progress, *step)),
            )

        def found() -> Diarization | None:
            diarization = caller.wait(lambda: None)
            self._account.add(account)
            return diarization

        with beside(find, name="diarizer") as caller:
            yield found

    def _goes_beside(self, channels: Sequence[SpeechChannel]) -> bool:
        """Say whether speakers are to be looked for while the text is written down.

        A GPU has room for the small kernels of both. On a CPU each of them keeps all cores busy by
        itself, and both at once need the memory of both; so does a job that ran out of memory.
        """
        if len(channels) > 1 or not channels[0].windows or not self.options.diarize:
            return False
        if self.options.task is Task.DETECT_LANGUAGE:
            return False
        if self.side_by_side is not None:
            return self.side_by_side
        return self.device.name == "cuda" and self.batch_share == 1

    def _speakers(
        self, channel: SpeechChannel, account: Account, on_progress: OnProgress
    ) -> Diarization | None:
        return self.stages.tell_apart(
            channel.waveform,
            self.options,
            account,
            on_progress,
            batch_share=self.batch_share,
        )

    def _told_apart(
        self, spoken: SpokenChannel, tell_them_apart: TellApart
    ) -> tuple[list[SpokenChannel], Diarization]:
        """Say who spoke each word."""
        found = tell_them_apart()
        if found is None:
            return [spoken], NOTHING_FOUND
        words = assign_speakers(
            spoken.words,
            found.exclusive,
            overlapping=found.turns,
            fill_nearest=self.settings.diarize_fill_nearest,
        )
        return [replace(spoken, words=tuple(words))], found

    def _result(
        self,
        media: DecodedMedia,
        language: DetectedLanguage | None,
        spoken: Sequence[SpokenChannel],
        diarization: Diarization,
    ) -> result.Transcript:
        found = merged(segments(each.words, each.heard) for each in spoken)
        text = " ".join(segment.text for segment in found)
        if len(spoken) == 1:  # as Whisper wrote it
            text = "".join(word.text for word in spoken[0].words).strip()
        found = reach_to_turns(found, diarization.turns)
        who = speakers(found, diarization.embeddings)
        if not self.options.word_timestamps:
            found = tuple(segment.model_copy(update={"words": ()}) for segment in found)
        return result.Transcript(
            text=text,
            language=language.code if language else None,
            language_confidence=language.probability if language else None,
            duration=round(media.seconds, 3),
            segments=found,
            speakers=who,
            turns=tuple(
                result.Turn(start=round(t.start, 3), end=round(t.end, 3), speaker=t.speaker)
                for t in diarization.turns
            ),
            models=self._account.models(),
            warnings=tuple(self._account.warnings),
        )
