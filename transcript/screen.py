"""Decide from when to when each cue is on the screen."""

from collections.abc import Sequence
from dataclasses import dataclass

from transcript.cue_options import CueOptions

# One frame at 25 Hz: a screen shows nothing shorter, and no rounding makes it vanish.
FRAME_SECONDS = 0.04
END_OF_TIME = 9_999 * 3600.0  # seconds; readers know at most four digits of hours

# How late a cue may start because somebody else's is being read, when people talk at once.
_LATEST_SECONDS = 1.0

_Times = tuple[float, float]  # start and end, seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """What is to be shown as one cue."""

    start: float  # seconds; when its first word begins
    end: float  # when its last word ends
    columns: int  # of its text


def screen_times(
    said: Sequence[Speech], options: CueOptions, *, duration: float
) -> Sequence[_Times]:
    """Give everything the screen for a while, one after the other.

    Args:
        said: by start.
        options: how long a cue may and should be shown.
        duration: of the media, in seconds; 0 when unknown. Nothing is shown after it, unless
            words are said after it, or the media is too short to show each cue for a frame.
    """
    times = _in_turn(said, options)
    if duration <= 0 or not said:
        return times
    last = max(duration, len(said) * FRAME_SECONDS, *(speech.end for speech in said))
    return _before(last, times, said)


def _in_turn(said: Sequence[Speech], options: CueOptions) -> list[_Times]:
    """Show each as long as it is spoken, and read if there is room, whatever the media's end."""
    times: list[_Times] = []
    free = 0.0  # when the screen is free
    for index, speech in enumerate(said):
        start = max(speech.start, free)
        following = said[index + 1].start if index + 1 < len(said) else END_OF_TIME
        spoken = min(speech.end, speech.start + options.max_cue_seconds)
        readable = start + _reading_seconds(speech.columns, options)
        crowded = max(spoken, speech.start + FRAME_SECONDS) > following or start > speech.start
        # Only where people talk at once may a cue keep the next one waiting, and not for long.
        patience = min(readable, following + _LATEST_SECONDS) if crowded else following
        end = min(max(spoken, readable), max(following, patience))
        free = max(end, start + FRAME_SECONDS)
        times.append((start, free))
    return times


def _before(last: float, times: Sequence[_Times], said: Sequence[Speech]) -> Sequence[_Times]:
    """Move what would be shown too late, from the end on, until everything has its place.

    Nothing is shown longer than before. Cues that wait for each other at the end share the time.
    """
    moved = list(times)
    for index in range(len(moved) - 1, -1, -1):
        start, end = moved[index]
        if end <= last:
            break
        begun = said[index - 1].start if index else 0.0
        share = max(said[index].start, (begun + last) / 2)
        start = min(start, max(share, last - (end - start)), last - FRAME_SECONDS)
        start = max(start, index * FRAME_SECONDS)  # a frame for each that is still to be moved
        moved[index] = (start, last)
        last = start
    return moved


def _reading_seconds(columns: int, options: CueOptions) -> float:
    rate = options.max_chars_per_second
    seconds = columns / rate if rate else 0.0
    return min(max(seconds, options.min_cue_seconds), options.max_cue_seconds)
