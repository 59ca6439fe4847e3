"""Gather neighbouring speech into windows that Whisper hears in one go."""

import math
from collections.abc import Iterable, Iterator, Sequence

from pipeline.loudness import at_usual_level
from pipeline.speech import WINDOW_SECONDS, Span, Window
from pipeline.waveform import SAMPLE_RATE, Waveform

# Whisper spells the first and last word better with a little of what surrounds them. Chosen among
# six from 0 to 0.8 s, with tiny.en and base on ten recordings; they differ by a word or two.
PAD_SECONDS = 0.1


def windows_of(
    spans: Sequence[Span],
    *,
    media_seconds: float,
    longest: float = WINDOW_SECONDS,
    pad: float = PAD_SECONDS,
    channel: int = 0,
) -> tuple[Window, ...]:
    """Merge spans of speech, in order, as long as they fit a window.

    Few and full windows are what makes Whisper fast: it computes 30 seconds however little of
    them is speech. A window is cut only between spans, where nobody speaks; a span that is itself
    too long is divided evenly, which voice activity detection never leaves to this function.

    Args:
        spans: by start, not overlapping.
        media_seconds: length of the media; no window ends after it.
        longest: seconds of a window, its padding included.
        pad: seconds added on each side, never beyond the middle of the pause to the neighbour.
        channel: in which all this was said, where channels are separated.

    Returns:
        By start, not overlapping; every span, or every part of a divided one, is in exactly one.

    Source: the merging of WhisperX, Bain et al. 2023, arXiv:2303.00747.
    """
    pieces = [piece for span in spans for piece in _divided(span, longest=longest - 2 * pad)]
    groups = list(_groups(pieces, longest=longest - 2 * pad))
    starts = [group[0].start for group in groups]
    ends = [group[-1].end for group in groups]
    windows = []
    for index, group in enumerate(groups):
        before = (ends[index - 1] + starts[index]) / 2 if index else 0.0
        after = (ends[index] + starts[index + 1]) / 2 if index + 1 < len(groups) else media_seconds
        windows.append(
            Window(
                start=max(starts[index] - pad, before),
                # Never before the speech ends, should the media be said to be shorter than that.
                end=max(min(ends[index] + pad, after), ends[index]),
                spans=tuple(group),
                channel=channel,
            )
        )
    return tuple(windows)


def _divided(span: Span, *, longest: float) -> Iterator[Span]:
    parts = math.ceil((span.end - span.start) / longest)
    if parts <= 1:
        yield span
        return
    edges = [span.start + (span.end - span.start) * part / parts for part in range(parts)]
    for start, end in zip(edges, [*edges[1:], span.end], strict=True):
        yield Span(start=start, end=end)


def _groups(spans: Iterable[Span], *, longest: float) -> Iterator[list[Span]]:
    group: list[Span] = []
    for span in spans:
        if group and span.end - group[0].start > longest:
            yield group
            group = []
        group.append(span)
    if group:
        yield group


def samples_of(waveform: Waveform, window: Window) -> Waveform:
    """Take a window's samples, raised to the usual level where they are quiet.

    Returns:
        A copy, never more than WINDOW_SECONDS of it.
    """
    first = round(window.start * SAMPLE_RATE)
    last = min(round(window.end * SAMPLE_RATE), first + int(WINDOW_SECONDS * SAMPLE_RATE))
    return at_usual_level(waveform[first:last])
