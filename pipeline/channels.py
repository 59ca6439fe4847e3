"""Treat each channel of a recording as a speaker of its own."""

from collections.abc import Iterable, Sequence

from pipeline.speech import Span, Turn
from transcript.transcript import Segment

MAX_CHANNELS = 8  # that are separated; more are a mixing desk's, not a conversation's
BY_CHANNEL = "channels"  # what transcripts call the diarizer that is none


def label_of(channel: int) -> str:
    """Name the speaker of a channel, counted from 0: the same whoever speaks first."""
    return f"SPEAKER_{channel:02d}"


def turns_of(speech: Iterable[Sequence[Span]]) -> tuple[Turn, ...]:
    """Make turns of the speech in each channel.

    Args:
        speech: one entry a channel, by start.

    Returns:
        By start; they overlap where channels do.
    """
    turns = [
        Turn(start=span.start, end=span.end, speaker=label_of(channel))
        for channel, spans in enumerate(speech)
        for span in spans
    ]
    return tuple(sorted(turns, key=lambda turn: (turn.start, turn.speaker)))


def merged(channels: Iterable[Sequence[Segment]]) -> tuple[Segment, ...]:
    """Put the segments of all channels, each by start, in one order by start, and number them."""
    together = sorted(
        (segment for channel in channels for segment in channel),
        key=lambda segment: segment.start,
    )
    return tuple(
        segment.model_copy(update={"id": number}) for number, segment in enumerate(together)
    )
