"""Choose which windows Whisper hears together."""

from collections.abc import Iterator, Sequence

from pipeline.speech import Window

# A batch takes as long as its longest text, so windows of like length go together; but only
# neighbours do, for whoever follows a run wants to read its beginning first.
BLOCK_BATCHES = 4


def batches(windows: Sequence[Window], *, batch_size: int) -> Iterator[tuple[int, ...]]:
    """Divide windows into batches of like length.

    Args:
        windows: by start.
        batch_size: windows in one batch.

    Yields:
        Indices of the windows of a batch. Every window is in one batch, at most BLOCK_BATCHES
        batches from where it would be in the order of time.
    """
    block = BLOCK_BATCHES * batch_size
    for first in range(0, len(windows), block):
        near = range(first, min(first + block, len(windows)))
        alike = sorted(near, key=lambda index: -_speech_seconds(windows[index]))
        together = [
            tuple(alike[begin : begin + batch_size]) for begin in range(0, len(alike), batch_size)
        ]
        yield from sorted(together, key=min)


def reduced(batch_size: int, share: float) -> int:
    """Return a share of a batch, of at least one."""
    return max(1, int(batch_size * share))


def _speech_seconds(window: Window) -> float:
    return sum(span.end - span.start for span in window.spans)
