"""Write down what is said in the windows of a waveform."""

import logging
from collections.abc import Iterator, MutableMapping, Sequence
from typing import TYPE_CHECKING

from jobs.options import TranscriptionOptions
from jobs.stages import Stage
from pipeline.batching import batches
from pipeline.cross_attention import word_times
from pipeline.fallback import Voice, is_doubtful, is_made_up, is_wordless
from pipeline.progress import HeardText, OnHeard, OnProgress, unheard, unsaid
from pipeline.recognizing import Recognition, Request
from pipeline.speech import HeardWindow, Window
from pipeline.spelled_words import spelled_words
from pipeline.voice_activity import FRAME_SECONDS, ONSET, speech_probabilities
from pipeline.waveform import SAMPLE_RATE, Waveform
from pipeline.windows import samples_of

if TYPE_CHECKING:
    from pipeline.whisper import WhisperRecognizer
    from pipeline.whisper_passes import Sound

log = logging.getLogger(__name__)


def transcribe(
    waveforms: Sequence[Waveform],
    windows: Sequence[Window],
    recognizer: "WhisperRecognizer",
    options: TranscriptionOptions,
    language: str,
    *,
    batch_size: int,
    with_times: bool,
    on_progress: OnProgress = unheard,
    on_heard: OnHeard = unsaid,
    after: float = 0.05,
    sounds: "MutableMapping[Window, Sound] | None" = None,
) -> list[HeardWindow]:
    """Recognise windows, and leave out those in which nothing was said.

    Args:
        waveforms: of the whole media, one, or one for each channel; read two batches ahead at most.
        windows: by start; of separated channels they may overlap.
        recognizer: shared with any number of other calls.
        options: task, initial prompt, hotwords and temperature are read.
        language: a Whisper code: what is spoken.
        batch_size: windows in one pass, those of other jobs included.
        with_times: True: find word times by cross-attention as well, in the same pass.
        on_progress: hears of Stage.TRANSCRIBE after each window, and between the tries at one
            that Whisper doubts. What it raises leaves this call as it is.
        on_heard: hears of each window's text as soon as it and all before it are recognised. What
            it raises leaves this call as well.
        after: share of the stage that was done before this call, 0 to 1.
        sounds: of windows that Whisper has listened to before; they are taken out.

    Returns:
        By start; every one has words.

    Raises:
        UnsuitableModel: the model was not trained for the language or the task.
    """
    plan = recognizer.plan(
        language=language,
        task=options.task,
        initial_prompt=options.initial_prompt,
        hotwords=options.hotwords,
        temperature=options.temperature,
    )
    known = sounds if sounds is not None else {}

    def sound_of(window: Window) -> "Sound":
        if window in known:
            return known.pop(window)
        return recognizer.sound(_samples(waveforms, window))

    def requests() -> Iterator[list[Request]]:
        for indices in batches(windows, batch_size=batch_size):
            yield [
                Request(
                    index=index,
                    sound=sound_of(windows[index]),
                    plan=plan,
                    with_times=with_times,
                )
                for index in indices
            ]

    teller = _Teller(on_heard)
    fraction = after
    with recognizer.recognizing(
        batch_size=batch_size, go_on=lambda: on_progress(Stage.TRANSCRIBE, fraction)
    ) as recognizing:
        found = recognizing.recognitions(requests())
        for done, (request, recognition) in enumerate(found, start=1):
            window = windows[request.index]
            teller.take(request.index, _heard(window, waveforms, request, recognition))
            fraction = after + (1 - after) * done / len(windows)
            on_progress(Stage.TRANSCRIBE, fraction)
    return teller.heard


class _Teller:
    """Brings what was heard back into the order of time, and tells of it."""

    def __init__(self, on_heard: OnHeard) -> None:
        self._on_heard = on_heard
        self._waiting: dict[int, HeardWindow | None] = {}  # for windows before them
        self._next = 0
        self.heard: list[HeardWindow] = []

    def take(self, index: int, heard: HeardWindow | None) -> None:
        """Note what was heard in a window; None: nothing."""
        self._waiting[index] = heard
        while self._next in self._waiting:
            following = self._waiting.pop(self._next)
            self._next += 1
            if following is not None:
                self.heard.append(following)
                self._tell(following)

    def _tell(self, heard: HeardWindow) -> None:
        spans = heard.window.spans
        text = HeardText(start=spans[0].start, end=spans[-1].end, text="".join(heard.words))
        self._on_heard(text)


def _samples(waveforms: Sequence[Waveform], window: Window) -> Waveform:
    return samples_of(waveforms[window.channel], window)


def _heard(
    window: Window, waveforms: Sequence[Waveform], request: Request, recognition: Recognition
) -> HeardWindow | None:
    """Make a window's words of what was recognised; None where nobody spoke."""
    decoding = recognition.decoding
    if is_wordless(decoding.text):
        return None
    if is_doubtful(decoding) and is_made_up(decoding, voice_in(_samples(waveforms, window))):
        log.info(
            "left out a text without a voice",
            extra={
                "window_start": round(window.start, 2),
                "avg_logprob": round(decoding.avg_logprob, 2),
                "no_speech_prob": round(decoding.no_speech_prob, 2),
            },
        )
        return None
    words = spelled_words(decoding.tokens, request.plan.tokenizer)
    times = None
    if recognition.alignment is not None:
        times = word_times(words, recognition.alignment, window)
    return HeardWindow(
        window=window,
        language=request.plan.language,
        words=tuple(word.text for word in words),
        avg_logprob=decoding.avg_logprob,
        no_speech_prob=decoding.no_speech_prob,
        compression_ratio=decoding.compression_ratio,
        temperature=decoding.temperature,
        times=times,
    )


def voice_in(samples: Waveform) -> Voice:
    """Ask Silero how much of a voice there is in a window."""
    probabilities = speech_probabilities(samples)
    return Voice(
        peak=float(probabilities.max(initial=0.0)),
        seconds=float((probabilities >= ONSET).sum()) * FRAME_SECONDS,
        window_seconds=len(samples) / SAMPLE_RATE,
    )
