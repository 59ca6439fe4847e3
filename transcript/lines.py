"""Lay text out in lines of about the same length, broken where a reader would pause."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from transcript.pieces import Piece

Line = tuple[Piece, ...]  # one at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The room that a cue has for text."""

    columns: int  # of a line
    label: int  # columns of the first line that the speaker's label takes, with its space
    lines: int
    may_part: bool = False  # whether the label may have a line of its own; needs two lines

    @property
    def first_columns(self) -> int:
        """How many columns the first line has left beside the label; may be none."""
        return self.columns - self.label

    @property
    def widest(self) -> int:
        """How many columns a piece may have; half a line at least, whatever the label takes."""
        return self.columns if self.may_part else max(self.first_columns, -(-self.columns // 2))

    @property
    def capacity(self) -> int:
        """How many columns of text there are at most, in all lines."""
        return self.columns * self.lines - self.label

    def is_parted(self, first: Piece) -> bool:
        """Tell whether the label stands on a line of its own above this piece."""
        return self.may_part and first.width > self.first_columns

    def below_label(self, first: Piece) -> Self:
        """Return the room that is left to a text that begins with this piece."""
        if not self.is_parted(first):
            return self
        return replace(self, label=0, lines=self.lines - 1, may_part=False)


def reach(pieces: Sequence[Piece], begin: int, box: Box) -> int:
    """Return where the text from `begin` on stops fitting the box; always after `begin`."""
    return _greedy_stops(pieces, begin, box)[-1]


def lay_out(pieces: Sequence[Piece], box: Box) -> tuple[Line, ...]:
    """Put pieces that fit the box in as few lines as possible, as evenly as possible."""
    box = box.below_label(pieces[0])
    n_breaks = len(_greedy_stops(pieces, 0, box)) - 1
    earliest = _earliest_starts(pieces, n_breaks, box.columns)
    lines: list[Line] = []
    begin, label, rest = 0, box.label, joined_width(pieces)
    while earliest:
        target = (rest + label) / (len(earliest) + 1) - label
        # Earlier, and the rest would not fit the lines that are left; later, and this one is full.
        first = max(begin + 1, earliest.pop())
        last = _filled(pieces, begin, box.columns - label)
        stop = best_stop(pieces, begin, range(first, last + 1), target=target, scale=box.columns)
        lines.append(tuple(pieces[begin:stop]))
        begin, label, rest = stop, 0, joined_width(pieces[stop:])
    lines.append(tuple(pieces[begin:]))
    return tuple(lines)


def best_stop(
    pieces: Sequence[Piece], begin: int, stops: range, *, target: float, scale: int
) -> int:
    """Choose where to stop: near the ideal width, and where a reader would pause.

    Args:
        pieces: of one segment.
        begin: the first piece.
        stops: where it may stop; not empty, the first after `begin`.
        target: the ideal, in columns.
        scale: in columns; missing the ideal by as much costs 1, see `Piece.penalty`.
    """
    best, least, used = stops.start, math.inf, 0
    for stop in range(begin + 1, stops.stop):
        piece = pieces[stop - 1]
        used += piece.width + (stop > begin + 1 and not piece.glued)
        cost = ((used - target) / scale) ** 2 + piece.penalty
        if stop >= stops.start and cost < least:
            best, least = stop, cost
    return best


def joined(pieces: Sequence[Piece]) -> str:
    """Write pieces in one line."""
    return "".join(
        piece.text if piece.glued or not index else f" {piece.text}"
        for index, piece in enumerate(pieces)
    )


def joined_width(pieces: Sequence[Piece]) -> int:
    """Count the columns that pieces take in one line."""
    return sum(piece.width + (index > 0 and not piece.glued) for index, piece in enumerate(pieces))


def _greedy_stops(pieces: Sequence[Piece], begin: int, box: Box) -> list[int]:
    """Fill line by line; return where each line stops."""
    box = box.below_label(pieces[begin])
    stops: list[int] = []
    while begin < len(pieces) and len(stops) < box.lines:
        begin = _filled(pieces, begin, box.columns if stops else box.first_columns)
        stops.append(begin)
    return stops


def _filled(pieces: Sequence[Piece], begin: int, room: int) -> int:
    """Return where a full line stops that begins at `begin`; it holds one piece at least."""
    used = pieces[begin].width
    for stop in range(begin + 1, len(pieces)):
        used += pieces[stop].width + (not pieces[stop].glued)
        if used > room:
            return stop
    return len(pieces)


def _earliest_starts(pieces: Sequence[Piece], n_lines: int, room: int) -> list[int]:
    """Fill lines from the end; return where the last line starts, the one before it, and so on.

    From each of these places, and not before, the rest fits as many lines.
    """
    starts: list[int] = []
    begin = len(pieces)
    while len(starts) < n_lines:
        begin = max(0, begin - 1)  # a line holds one piece at least
        used = pieces[begin].width
        while begin > 0:
            used += pieces[begin - 1].width + (not pieces[begin].glued)
            if used > room:
                break
            begin -= 1
        starts.append(begin)
    return starts
