"""Find where in a segment's text its words stand."""

from collections.abc import Sequence
from dataclasses import dataclass

from transcript.characters import printable
from transcript.transcript import Word

# A word is looked for this many characters behind the one before it. Further away, the same
# letters are more likely another word.
_REACH = 40
_LONGEST_REACH = 400  # bounds the search where no word matches the text


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of the text, and when it was said."""

    begin: int  # the first character
    stop: int  # behind the last; always after `begin`
    start: float  # seconds
    end: float  # never before `start`

    def when(self, position: int) -> float:
        """Return the time of a place in the text; the characters share the time evenly."""
        if position <= self.begin:
            return self.start
        if position >= self.stop:
            return self.end
        share = (position - self.begin) / (self.stop - self.begin)
        return self.start + (self.end - self.start) * share


def spans_of(text: str, words: Sequence[Word], *, low: float, high: float) -> list[Span]:
    """Find words in the text, in order; a word that is not there is left out.

    Args:
        text: printable.
        words: in the order of the text.
        low: seconds; a word that ended before says nothing about the time, and is left out.
        high: seconds; a word that began later is left out too.

    Returns:
        By `begin`, never overlapping in the text; times between `low` and `high`, in any order.
    """
    spans: list[Span] = []
    cursor, reach = 0, _REACH
    for word in words:
        spoken = printable(word.word)
        if not spoken:
            continue
        begin = text.find(spoken, cursor, cursor + len(spoken) + reach)
        if begin < 0:
            reach = min(reach + len(spoken), _LONGEST_REACH)
            continue
        cursor, reach = begin + len(spoken), _REACH
        last = max(word.start, word.end)
        if word.start <= high and last >= low:
            start, end = max(word.start, low), min(last, high)
            spans.append(Span(begin=begin, stop=cursor, start=start, end=end))
    return spans
