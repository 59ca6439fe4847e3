"""Make the times of the words whole: every word has some, and they run forward."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from pipeline.speech import HeardWindow, SpokenWord, Window, WordTime

# How long a borrowed word may last at the edge of a window, where no neighbour ends it: slow
# speech. Without it a lost last word would fill the silence behind it.
_SECONDS_PER_CHARACTER = 0.15


def spoken_words(
    heard: Sequence[HeardWindow],
    times: Sequence[Sequence[WordTime | None]],
    *,
    media_seconds: float,
) -> list[SpokenWord]:
    """Give every word a start and an end.

    A word without times, or with times that are not numbers, lie outside its window, or go back
    behind its neighbours, borrows them from those around it, and `score` None says so. A window
    in which the aligner placed nothing takes its cross-attention times, when it has them.

    Args:
        heard: by start.
        times: one entry a window, in it one a word.
        media_seconds: how long the media is.

    Returns:
        Every word, in order. Times are finite and inside the media; starts never go back, and a
        word ends before the next one starts.
    """
    words: list[SpokenWord] = []
    for index, (window, placed) in enumerate(zip(heard, times, strict=True)):
        if window.times is not None and not any(placed):
            placed = window.times
        whole = _whole(window, placed, media_seconds)
        for text, time in zip(window.words, whole, strict=True):
            words.append(
                SpokenWord(
                    text=text, start=time.start, end=time.end, score=time.score, window=index
                )
            )
    return _forward(words)


def _whole(
    heard: HeardWindow, placed: Sequence[WordTime | None], media_seconds: float
) -> list[WordTime]:
    """Fill the gaps of one window; starts do not go back in what is returned."""
    low, high = _bounds(heard.window, media_seconds)
    known = _ascending([None if time is None else _inside(time, low, high) for time in placed])
    whole: list[WordTime] = []
    index = 0
    while index < len(known):
        time = known[index]
        if time is not None:
            whole.append(time)
            index += 1
            continue
        stop = next((i for i in range(index, len(known)) if known[i] is not None), len(known))
        left = whole[-1].end if whole else None
        after = known[stop] if stop < len(known) else None
        texts = heard.words[index:stop]
        whole += _borrowed(texts, left, after.start if after else None, low=low, high=high)
        index = stop
    return whole


def _bounds(window: Window, media_seconds: float) -> tuple[float, float]:
    low = min(max(0.0, window.start), media_seconds)
    return low, min(max(low, window.end), media_seconds)


def _inside(time: WordTime, low: float, high: float) -> WordTime | None:
    """Put a time the right way round and into its window; None if it is no number."""
    score = time.score
    if low <= time.start <= time.end <= high and (score is None or 0 <= score <= 1):
        return time
    if not (math.isfinite(time.start) and math.isfinite(time.end)):
        return None
    start, end = sorted((time.start, time.end))
    if end < low or start > high:
        return None
    if score is not None:
        score = min(max(score, 0.0), 1.0) if math.isfinite(score) else None
    return WordTime(start=max(start, low), end=min(end, high), score=score)


def _ascending(times: Sequence[WordTime | None]) -> list[WordTime | None]:
    """Keep as many times as can be kept so that no start goes back; the others become None.

    Raising each start to the one before it would let a single stray time drag along all words
    that follow. This is the longest non-decreasing subsequence, by patience sorting.
    """
    starts: list[float] = []  # of the best last word, by length of the sequence
    ends: list[int] = []  # its index
    before: dict[int, int | None] = {}
    for index, time in enumerate(times):
        if time is None:
            continue
        length = bisect_right(starts, time.start)
        before[index] = ends[length - 1] if length else None
        starts[length : length + 1] = [time.start]
        ends[length : length + 1] = [index]
    kept: set[int] = set()
    step = ends[-1] if ends else None
    while step is not None:
        kept.add(step)
        step = before[step]
    return [time if index in kept else None for index, time in enumerate(times)]


def _borrowed(
    texts: Sequence[str], left: float | None, right: float | None, *, low: float, high: float
) -> list[WordTime]:
    """Share the time between two neighbours among words, by their length.

    Args:
        texts: of the words.
        left: where the word before ends; None: there is none.
        right: where the word after starts; None: there is none.
        low: where the window starts.
        high: where the window ends.
    """
    lengths = [max(1, len(text.strip())) for text in texts]
    if left is None and right is not None:
        left = max(low, right - sum(lengths) * _SECONDS_PER_CHARACTER)
    elif right is None and left is not None:
        right = min(high, left + sum(lengths) * _SECONDS_PER_CHARACTER)
    first = low if left is None else left
    last = high if right is None else right
    room = max(0.0, last - first)
    shared, times = 0, []
    for length in lengths:
        start = first + room * shared / sum(lengths)
        shared += length
        end = min(last, first + room * shared / sum(lengths))
        # The word before may end after the word behind has started; then there is no room.
        times.append(WordTime(start=min(start, end), end=end, score=None))
    return times


def _forward(words: Sequence[SpokenWord]) -> list[SpokenWord]:
    """Let no start go back from window to window, and no word last into the next one."""
    starts: list[float] = []
    for word in words:
        starts.append(max(word.start, starts[-1]) if starts else word.start)
    forward = []
    for index, word in enumerate(words):
        limit = starts[index + 1] if index + 1 < len(words) else math.inf
        start, end = starts[index], max(starts[index], min(word.end, limit))
        changed = (start, end) != (word.start, word.end)
        forward.append(replace(word, start=start, end=end) if changed else word)
    return forward
