"""Let segments last as long as their speaker talks, not only as long as their words."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from pipeline.speech import Turn
from transcript.transcript import Segment

# How far a segment may reach beyond its words. Word times leave out what Whisper did not write
# down (hesitation, laughter, a syllable under another voice); a longer stretch without words is
# not part of what this segment says.
REACH_SECONDS = 1.0


def reach_to_turns(segments: Sequence[Segment], turns: Sequence[Turn]) -> tuple[Segment, ...]:
    """Widen each segment to the edges of its speaker's turn, up to REACH_SECONDS each way.

    Between two segments of one turn, the first reaches to the second. Segments of different
    speakers overlap where the speakers do; the order of segments stays.

    Args:
        segments: by start, as long as their words.
        turns: by start; turns of different speakers may overlap.

    Returns:
        The same segments in the same order, starts non-decreasing; words are untouched.
    """
    turns_of: defaultdict[str, list[Turn]] = defaultdict(list)
    for turn in turns:
        turns_of[turn.speaker].append(turn)
    next_start = _starts_of_next(segments)
    widened: list[Segment] = []
    last_end: dict[str, float] = {}  # by speaker
    for index, segment in enumerate(segments):
        speaker = segment.speaker
        start, end = segment.start, segment.end
        if speaker is not None:
            begin = _turn_at(turns_of[speaker], start)
            finish = _turn_at(turns_of[speaker], end)
            if begin is not None:
                earliest = max(begin.start, start - REACH_SECONDS, last_end.get(speaker, 0.0))
                start = min(start, earliest)
            if finish is not None:
                latest = min(finish.end, end + REACH_SECONDS, next_start[index])
                end = max(end, latest)
            last_end[speaker] = end
        if widened:
            start = min(segment.start, max(start, widened[-1].start))
        times = {"start": round(start, 3), "end": round(end, 3)}
        widened.append(segment.model_copy(update=times))
    return tuple(widened)


def _turn_at(turns: Sequence[Turn], time: float) -> Turn | None:
    """Return the turn of one speaker that goes on at this time; None if none does."""
    index = bisect_right(turns, time, key=lambda turn: turn.start) - 1
    return turns[index] if index >= 0 and time <= turns[index].end else None


def _starts_of_next(segments: Sequence[Segment]) -> list[float]:
    """Return, for each segment, when the same speaker's next one starts."""
    starts = [float("inf")] * len(segments)
    upcoming: dict[str | None, float] = {}
    for index in range(len(segments) - 1, -1, -1):
        speaker = segments[index].speaker
        starts[index] = upcoming.get(speaker, float("inf"))
        upcoming[speaker] = segments[index].start
    return starts
