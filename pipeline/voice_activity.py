"""Find where somebody speaks."""

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from jobs.stages import Stage
from pipeline.loudness import at_usual_level
from pipeline.progress import OnProgress, unheard
from pipeline.pyannote_voice_activity import FRAME_SECONDS as PYANNOTE_FRAME_SECONDS
from pipeline.pyannote_voice_activity import pyannote_blocks
from pipeline.silero import using_silero
from pipeline.speech import Span
from pipeline.waveform import SAMPLE_RATE, Waveform

FRAME_SAMPLES = 512  # what Silero judges at once
FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE  # 0.032 s
_CONTEXT_SAMPLES = 64  # of the frame before, which Silero sees as well
_BLOCK_FRAMES = 4096  # 131 s of sound: 9 MB and about half a second of work at a time

ONSET = 0.5  # speech begins at this probability; the default of Silero and of WhisperX
OFFSET = 0.35  # and is over below this one; WhisperX has 0.363 for its pyannote model
MIN_SILENCE_SECONDS = 0.16  # shorter pauses are inside a span; as faster-whisper's batched mode
MIN_SPEECH_SECONDS = 0.1  # shorter bursts are clicks
PAD_SECONDS = 0.03  # a frame is found late and left early
SPEECH_SHARE = 0.05  # of Stage.TRANSCRIBE that finding speech takes
MAX_SPAN_SECONDS = 29.0  # fits a window of 30 s with its padding

Probabilities: TypeAlias = npt.NDArray[np.float32]  # shape (n_frames,), 0 to 1


def find_speech(
    waveform: Waveform,
    *,
    method: Literal["silero", "pyannote"] = "silero",
    device: str = "cpu",
    on_progress: OnProgress = unheard,
    share: float = SPEECH_SHARE,
) -> tuple[Span, ...]:
    """Find the stretches of speech.

    Args:
        waveform: any length; read in blocks, never copied as a whole.
        method: Silero takes about 0.4 % of the media's length on a CPU; WhisperX's pyannote model
            about twenty times as much there, and up to half a minute before its first block.
        device: where the pyannote model runs; Silero stays on the CPU.
        on_progress: hears of the first `share` of Stage.TRANSCRIBE.
        share: of the stage that this is, 0 to 1.

    Returns:
        By start, never overlapping, each at most MAX_SPAN_SECONDS long. Empty: nobody speaks.
    """
    blocks, frame_seconds = _silero_blocks(waveform), FRAME_SECONDS
    if method == "pyannote":
        blocks, frame_seconds = pyannote_blocks(waveform, device=device), PYANNOTE_FRAME_SECONDS
    seconds = len(waveform) / SAMPLE_RATE
    heard = []
    frames = 0
    for block in blocks:
        heard.append(block)
        frames += len(block)
        on_progress(Stage.TRANSCRIBE, share * min(1.0, frames * frame_seconds / seconds))
    if not heard:
        return ()
    return spans_of(np.concatenate(heard), seconds=seconds, frame_seconds=frame_seconds)


def speech_probabilities(waveform: Waveform) -> Probabilities:
    """Let Silero judge every FRAME_SECONDS of a waveform; the last may be partly padding."""
    blocks = list(_silero_blocks(waveform))
    return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)


def spans_of(
    probabilities: Probabilities, *, seconds: float, frame_seconds: float = FRAME_SECONDS
) -> tuple[Span, ...]:
    """Turn frame probabilities into spans of speech.

    Args:
        probabilities: shape (n_frames,), 0 to 1.
        seconds: length of the media; no span ends after it.
        frame_seconds: from one frame to the next.

    Returns:
        By start, never overlapping; a stretch longer than MAX_SPAN_SECONDS is divided where
        speech is least likely, as WhisperX does (Bain et al. 2023, arXiv:2303.00747).
    """
    runs = _joined(_runs(probabilities), shortest_pause=MIN_SILENCE_SECONDS / frame_seconds)
    pieces = [
        piece
        for start, end in runs
        if (end - start) * frame_seconds >= MIN_SPEECH_SECONDS
        for piece in _divided(probabilities, start, end, int(MAX_SPAN_SECONDS / frame_seconds))
    ]
    spans = []
    for index, (start, end) in enumerate(pieces):
        # Padding stops in the middle of a pause, so that neighbours never overlap.
        before = (pieces[index - 1][1] + start) / 2 if index else 0.0
        after = (end + pieces[index + 1][0]) / 2 if index + 1 < len(pieces) else len(probabilities)
        spans.append(
            Span(
                start=max(start * frame_seconds - PAD_SECONDS, before * frame_seconds),
                end=min(end * frame_seconds + PAD_SECONDS, after * frame_seconds, seconds),
            )
        )
    return tuple(span for span in spans if span.start < span.end)


def _runs(probabilities: Probabilities) -> list[tuple[int, int]]:
    """Find the runs of frames that start at ONSET and last until one falls below OFFSET."""
    runs = []
    start: int | None = None
    for frame, probability in enumerate(probabilities.tolist()):
        if start is None and probability >= ONSET:
            start = frame
        elif start is not None and probability < OFFSET:
            runs.append((start, frame))
            start = None
    if start is not None:
        runs.append((start, len(probabilities)))
    return runs


def _joined(runs: list[tuple[int, int]], *, shortest_pause: float) -> list[tuple[int, int]]:
    """Close the pauses of fewer frames than `shortest_pause`."""
    joined: list[tuple[int, int]] = []
    for start, end in runs:
        if joined and start - joined[-1][1] < shortest_pause:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _divided(
    probabilities: Probabilities, start: int, end: int, longest: int
) -> Iterator[tuple[int, int]]:
    """Cut a run at its quietest frames into pieces of at most `longest` frames."""
    while end - start > longest:
        # Not in the first half, or a monologue would fall into crumbs.
        first = start + longest // 2
        cut = first + int(np.argmin(probabilities[first : start + longest]))
        yield start, cut
        start = cut
    yield start, end


def _silero_blocks(waveform: Waveform) -> Iterator[Probabilities]:
    """Run Silero block by block, its memory carried over, so that blocks leave no seam."""
    # Not faster-whisper's `get_vad_model()(waveform)`: that copies the whole, twice, and forgets
    # at its end.
    with using_silero() as session:
        yield from _silero_judged(waveform, session)


def _silero_judged(waveform: Waveform, session: Any) -> Iterator[Probabilities]:
    state = cell = np.zeros((1, 1, 128), dtype=np.float32)
    before = np.zeros(_CONTEXT_SAMPLES, dtype=np.float32)
    for start in range(0, len(waveform), _BLOCK_FRAMES * FRAME_SAMPLES):
        samples = at_usual_level(waveform[start : start + _BLOCK_FRAMES * FRAME_SAMPLES])
        frames = np.pad(samples, (0, -len(samples) % FRAME_SAMPLES)).reshape(-1, FRAME_SAMPLES)
        contexts = np.vstack([before, frames[:-1, -_CONTEXT_SAMPLES:]])
        before = frames[-1, -_CONTEXT_SAMPLES:]
        probabilities, state, cell = session.run(
            None, {"input": np.hstack([contexts, frames]), "h": state, "c": cell}
        )
        yield probabilities.reshape(-1)
