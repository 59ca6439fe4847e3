"""Write down what is said in the windows of a waveform."""

import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from jobs.options import TranscriptionOptions
from jobs.stages import Stage
from pipeline.cross_attention import word_times
from pipeline.fallback import Voice, is_doubtful, is_made_up, is_wordless
from pipeline.progress import OnProgress, unheard
from pipeline.speech import HeardWindow, Window
from pipeline.spelled_words import spelled_words
from pipeline.voice_activity import FRAME_SECONDS, ONSET, speech_probabilities
from pipeline.waveform import SAMPLE_RATE, Waveform
from pipeline.whisper import Recognition, Request
from pipeline.windows import samples_of

if TYPE_CHECKING:
    from pipeline.whisper import WhisperRecognizer

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 1.0  # how often a caller hears of a batch that is not ready yet


def transcribe(
    waveform: Waveform,
    windows: Sequence[Window],
    recognizer: "WhisperRecognizer",
    options: TranscriptionOptions,
    language: str,
    *,
    batch_size: int,
    with_times: bool,
    on_progress: OnProgress = unheard,
    after: float = 0.05,
) -> list[HeardWindow]:
    """Recognise windows, and leave out those in which nothing was said.

    Args:
        waveform: of the whole media; read a batch at a time.
        windows: by start.
        recognizer: shared with any number of other calls.
        options: task, initial prompt and hotwords are read.
        language: a Whisper code: what is spoken.
        batch_size: windows in one pass.
        with_times: True: find word times by cross-attention as well, in the same pass.
        on_progress: hears of Stage.TRANSCRIBE after each batch, and every HEARTBEAT_SECONDS. What
            it raises leaves this call as it is, at once: a batch under way ends by itself, unread.
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
    )
    # A batch takes as long as its longest text, so windows of like length go together.
    order = sorted(range(len(windows)), key=lambda index: -_speech_seconds(windows[index]))
    heard: dict[int, HeardWindow] = {}
    fraction = after
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="whisper")
    try:
        for first in range(0, len(order), batch_size):
            indices = order[first : first + batch_size]
            requests = [
                Request(
                    samples=samples_of(waveform, windows[index]), plan=plan, with_times=with_times
                )
                for index in indices
            ]
            recognitions = _awaited(
                pool.submit(recognizer.recognize, requests), on_progress, fraction
            )
            for index, request, recognition in zip(indices, requests, recognitions, strict=True):
                words = _heard(windows[index], request, recognition)
                if words is not None:
                    heard[index] = words
            fraction = after + (1 - after) * (first + len(indices)) / len(order)
            on_progress(Stage.TRANSCRIBE, fraction)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return [heard[index] for index in sorted(heard)]


def _awaited(
    future: Future[list[Recognition]], on_progress: OnProgress, fraction: float
) -> list[Recognition]:
    """Wait for a batch, and keep asking meanwhile whether anybody still wants it."""
    while True:
        try:
            return future.result(timeout=HEARTBEAT_SECONDS)
        except TimeoutError:
            if future.done():  # the batch itself raised it
                raise
            on_progress(Stage.TRANSCRIBE, fraction)


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


def _speech_seconds(window: Window) -> float:
    return sum(span.end - span.start for span in window.spans)
