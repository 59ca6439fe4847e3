"""Cut a segment into the pieces that no line break may part, each with its time."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from transcript.breaks import break_penalty
from transcript.characters import may_part, printable, splits_cluster, width
from transcript.spans import Span, spans_of
from transcript.transcript import Segment

_TOKEN = re.compile(r"[^ ]+")
_WORD = re.compile(r"\S+")  # ends at no-break spaces too
# The blocks in which a line may break without a space: see `may_part`.
_PARTABLE = re.compile(
    r"[\u0e01-\u109f\u1780-\u17ff\u200b\u2014\u231a-\u2b55\u2e80-\ua4cf\uf900-\ufaff"
    r"\ufe30-\ufe4f\uff01-\uff60\U00016fe0-\U0001b2ff\U0001f000-\U0003ffff]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of text that stays on one line: a word, or one character of Chinese."""

    text: str  # never empty
    width: int  # columns
    glued: bool  # follows the piece before it without a space
    opens_word: bool  # a word begins here; not true of what is left of a divided one
    is_timed: bool  # a word says when; otherwise the times are the neighbours' or the segment's
    start: float  # seconds; never before the start of the piece before it
    end: float  # seconds; never before `start`
    penalty: float  # of a break after it; the lower the better


class _Cut(NamedTuple):
    """A piece before its time is known."""

    begin: int
    stop: int
    width: int


_Times = list[tuple[float, float]]


def pieces_of(segment: Segment, *, widest: int, latest: float) -> list[Piece]:
    """Cut a segment's text; the pieces hold all of it but its spaces.

    Times come from the words. Where the text is not what the words say, the text wins: what no
    word covers shares the time between its neighbours, by length.

    Args:
        segment: its words may be missing, out of order or outside of it.
        widest: columns of the widest piece, 2 or more; what is longer is divided.
        latest: seconds; later times become this one.
    """
    text = printable(segment.text)
    low = min(segment.start, latest)
    high = min(max(segment.end, low), latest)
    spans = spans_of(text, segment.words, low=low, high=high)
    has_words = bool(spans)
    if not spans and text:
        spans = [Span(begin=0, stop=len(text), start=low, end=high)]
    cuts = list(_cuts(text, spans, widest))
    touched = _touched(cuts, spans)
    times = _times(cuts, touched, low, high)
    return _pieces(text, cuts, touched, times, has_words=has_words)


def _cuts(text: str, spans: Sequence[Span], widest: int) -> Iterator[_Cut]:
    """Part the text wherever a line may break, and where nothing else helps."""
    edges: set[int] | None = None  # where in the text words begin or end
    for token in _TOKEN.finditer(text):
        begin, stop = token.span()
        if not token[0].isascii() and _PARTABLE.search(token[0]):
            edges = edges or {edge for span in spans for edge in (span.begin, span.stop)}
            for at in range(begin + 1, stop):
                if may_part(text[at - 1], text[at], at_word_edge=at in edges):
                    yield from _narrow(text, begin, at, widest)
                    begin = at
        yield from _narrow(text, begin, stop, widest)


def _narrow(text: str, begin: int, stop: int, widest: int) -> Iterator[_Cut]:
    """Divide what is wider than a line: at its no-break spaces, then anywhere."""
    columns = width(text[begin:stop])
    if columns <= widest:
        yield _Cut(begin, stop, columns)
        return
    for word in _WORD.finditer(text, begin, stop):
        yield from _chop(text, word.start(), word.end(), widest)


def _chop(text: str, begin: int, stop: int, widest: int) -> Iterator[_Cut]:
    """Divide a word between characters that are drawn apart, if possible."""
    used, safe = 0, begin
    for at in range(begin, stop):
        if at > begin and not splits_cluster(text[at - 1], text[at]):
            safe = at
        columns = width(text[at])
        if used + columns > widest:
            end = safe if safe > begin else at
            yield _Cut(begin, end, width(text[begin:end]))
            begin, used = end, width(text[end:at])
        used += columns
    yield _Cut(begin, stop, width(text[begin:stop]))


def _touched(cuts: Sequence[_Cut], spans: Sequence[Span]) -> list[Sequence[Span]]:
    """Find the spans that each cut shares characters with; mostly one."""
    touched = []
    at = 0
    for cut in cuts:
        while at < len(spans) and spans[at].stop <= cut.begin:
            at += 1
        last = at
        while last < len(spans) and spans[last].begin < cut.stop:
            last += 1
        touched.append(spans[at:last])
    return touched


def _times(
    cuts: Sequence[_Cut], touched: Sequence[Sequence[Span]], low: float, high: float
) -> _Times:
    """Take the times from the spans that a cut touches; share out what is between them."""
    times: _Times = []
    time = low
    while (index := len(times)) < len(cuts):
        if between := touched[index]:
            # Words may overlap or be out of order: no piece starts before the one before it.
            time = max(time, between[0].when(cuts[index].begin))
            times.append((time, max(time, between[-1].when(cuts[index].stop))))
            continue
        stop = next((at for at in range(index, len(cuts)) if touched[at]), len(cuts))
        until = touched[stop][0].when(cuts[stop].begin) if stop < len(cuts) else high
        since = min(times[-1][1], max(time, until)) if times else low
        times += _shared(cuts[index:stop], since, max(since, until))
        time = times[-1][0]
    return times


def _shared(cuts: Sequence[_Cut], since: float, until: float) -> Iterator[tuple[float, float]]:
    """Share time among cuts, by their width."""
    columns = sum(max(1, cut.width) for cut in cuts)
    start, used = since, 0
    for cut in cuts:
        used += max(1, cut.width)
        end = max(start, since + (until - since) * used / columns)
        yield start, end
        start = end


def _pieces(
    text: str,
    cuts: Sequence[_Cut],
    touched: Sequence[Sequence[Span]],
    times: _Times,
    *,
    has_words: bool,
) -> list[Piece]:
    pieces: list[Piece] = []
    glued, opens_word = False, True
    last: Span | None = None  # of those that the pieces so far have touched
    for index, cut in enumerate(cuts):
        last = touched[index][-1] if touched[index] else last
        start, end = times[index]
        # What follows decides how good a break after this piece is.
        behind = cuts[index + 1] if index + 1 < len(cuts) else None
        next_glued = behind is not None and behind.begin == cut.stop
        next_opens = behind is None or not touched[index + 1] or touched[index + 1][0] is not last
        spoken = text[cut.begin : cut.stop]
        penalty = break_penalty(
            spoken,
            text[behind.begin : behind.begin + 1] if behind else "",
            inside_word=next_glued and not next_opens,
            silence=times[index + 1][0] - end if behind else 0.0,
        )
        pieces.append(
            Piece(
                text=spoken,
                width=cut.width,
                glued=glued,
                opens_word=opens_word,
                is_timed=has_words and bool(touched[index]),
                start=start,
                end=end,
                penalty=penalty,
            )
        )
        glued, opens_word = next_glued, next_opens
    return pieces
