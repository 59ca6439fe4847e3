"""Write down what is said in the windows of a waveform."""

import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from jobs.options import TranscriptionOptions
from jobs.stages import Stage
from pipeline.batching import batches
from pipeline.cross_attention import word_times
from pipeline.fallback import Voice, is_doubtful, is_made_up, is_wordless
from pipeline.progress import HeardText, OnHeard, OnProgress, unheard, unsaid
from pipeline.speech import HeardWindow, Window
from pipeline.spelled_words import spelled_words
from pipeline.voice_activity import FRAME_SECONDS, ONSET, speech_probabilities
from pipeline.waveform import SAMPLE_RATE, Waveform
from pipeline.whisper import Recognition, Request
from pipeline.windows import samples_of

if TYPE_CHECKING:
    from pipeline.whisper import WhisperRecognizer

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
) -> list[HeardWindow]:
    """Recognise windows, and leave out those in which nothing was said.

    Args:
        waveforms: of the whole media, one, or one for each channel; read a batch at a time.
        windows: by start; of separated channels they may overlap.
        recognizer: shared with any number of other calls.
        options: task, initial prompt, hotwords and temperature are read.
        language: a Whisper code: what is spoken.
        batch_size: windows in one pass.
        with_times: True: find word times by cross-attention as well, in the same pass.
        on_progress: hears of Stage.TRANSCRIBE after each batch, and between the tries at a window
            that Whisper doubts. What it raises leaves this call as it is.
        on_heard: hears of each window's text as soon as it and all before it are recognised. What
            it raises leaves this call as well.
        after: share of the stage that was done before this call, 0 to 1.

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
    teller = _Teller(on_heard)
    fraction, done = after, 0
    for indices in batches(windows, batch_size=batch_size):
        requests = [
            Request(
                samples=samples_of(waveforms[windows[index].channel], windows[index]),
                plan=plan,
                with_times=with_times,
            )
            for index in indices
        ]
        recognitions = recognizer.recognize(
            requests, partial(on_progress, Stage.TRANSCRIBE, fraction)
        )
        for index, request, recognition in zip(indices, requests, recognitions, strict=True):
            teller.take(index, _heard(windows[index], request, recognition))
        done += len(indices)
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


def _heard(window: Window, request: Request, recognition: Recognition) -> HeardWindow | None:
    """Make a window's words of what was recognised; None where nobody spoke."""
    decoding = recognition.decoding
    if is_wordless(decoding.text):
        return None
    if is_doubtful(decoding) and is_made_up(decoding, voice_in(request.samples)):
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
