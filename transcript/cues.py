"""Split a transcript into cues: what a viewer reads at once, and when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from transcript.characters import joins_without_space, printable, width
from transcript.cue_options import CueOptions
from transcript.lines import Box, Line, best_stop, joined, joined_width, lay_out, reach
from transcript.pieces import Piece, pieces_of
from transcript.screen import END_OF_TIME, Speech, screen_times
from transcript.transcript import Transcript

LONG_PAUSE_SECONDS = 1.5  # of silence, after which a new cue starts
_SAME_BREATH_SECONDS = 0.5  # cues that are this close may become one


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A text that is shown on its own."""

    start: float  # seconds; not before the end of the cue before it
    end: float  # after `start`, by a whole frame at least
    rows: tuple[Line, ...]  # one at least
    label: str  # before the text, with the space or the line break behind it; may be empty
    speaker: str | None  # printable

    @property
    def lines(self) -> tuple[str, ...]:
        """The text without the label: printable, no line empty."""
        return tuple(joined(row) for row in self.rows)

    @property
    def text(self) -> str:
        """All that is shown, with line breaks."""
        return self.label + "\n".join(self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Pieces that are shown together."""

    pieces: Sequence[Piece]  # never empty
    box: Box
    speaker: str | None

    @property
    def start(self) -> float:
        return self.pieces[0].start

    @property
    def end(self) -> float:
        return self.pieces[-1].end


def cues_of(transcript: Transcript, options: CueOptions) -> list[Cue]:
    """Split a transcript into cues.

    A cue holds one speaker. It ends at a sentence's end, at a clause's end, or between two words,
    in this order of preference, so that neighbours have about the same length. A long pause ends
    it too. A cue too short to be read joins its neighbour when both fit, or stays on screen
    while nothing else is to be shown.

    Where people talk at once, one is shown after the other, in the order in which they began.

    A label that does not fit beside the first word has a line of its own, where a cue may have
    two. In one-line cues, a label and a single word may be wider than the line. A label that is
    wider than the line by itself counts as half a line: the line is too long, but not every word
    becomes a cue.

    Returns:
        By time, never overlapping. Every word is in exactly one cue, in the order of its segment.
    """
    groups = sorted(_groups(transcript, options), key=lambda group: group.start)
    if not options.word_level:
        groups = _without_flashes(groups, options)
    said = [
        Speech(start=group.start, end=group.end, columns=joined_width(group.pieces))
        for group in groups
    ]
    times = screen_times(said, options, duration=transcript.duration)
    return [
        Cue(
            start=start,
            end=end,
            rows=lay_out(group.pieces, group.box),
            label=_label(group, options),
            speaker=group.speaker,
        )
        for group, (start, end) in zip(groups, times, strict=True)
    ]


def label_of(speaker: str | None, options: CueOptions) -> str:
    """Write what stands before a speaker's words; empty when there is nothing to write."""
    return f"[{speaker}] " if speaker and options.speaker_labels else ""


def _groups(transcript: Transcript, options: CueOptions) -> Iterator[_Group]:
    for segment in transcript.segments:
        speaker = printable(segment.speaker or "") or None
        box = _box(speaker, options)
        pieces = pieces_of(segment, widest=box.widest, latest=END_OF_TIME)
        runs = _parted(pieces, at_words=options.word_level)
        for group in (group for run in runs for group in _split(run, box, options)):
            yield _Group(pieces=group, box=box, speaker=speaker)


def _box(speaker: str | None, options: CueOptions) -> Box:
    columns, lines = options.max_chars_per_line, options.max_lines_per_cue
    label = width(label_of(speaker, options))
    may_part = lines > 1 and 0 < label <= columns + 1  # alone, it needs no space behind it
    if not may_part and label >= columns:
        label = columns // 2
    return Box(columns=columns, label=label, lines=lines, may_part=may_part)


def _label(group: _Group, options: CueOptions) -> str:
    label = label_of(group.speaker, options)
    return f"{label.rstrip()}\n" if group.box.is_parted(group.pieces[0]) else label


def _parted(pieces: Sequence[Piece], *, at_words: bool) -> Iterator[Sequence[Piece]]:
    """Part pieces at long pauses, or at every word."""
    begin = 0
    for index in range(1, len(pieces)):
        pause = pieces[index].start - pieces[index - 1].end
        if pause >= LONG_PAUSE_SECONDS or (at_words and pieces[index].opens_word):
            yield pieces[begin:index]
            begin = index
    if pieces:
        yield pieces[begin:]


def _split(pieces: Sequence[Piece], box: Box, options: CueOptions) -> Iterator[Sequence[Piece]]:
    """Split what was said without a pause into as many cues as it needs."""
    columns = [0, *accumulate(piece.width + (not piece.glued) for piece in pieces)]
    begin = 0
    while begin < len(pieces):
        stop = reach(pieces, begin, box)
        # A piece that lasts too long by itself is a cue, whose end is then cut.
        while stop > begin + 1 and _seconds(pieces, begin, stop) > options.max_cue_seconds:
            stop -= 1
        if stop < len(pieces):
            rest = columns[-1] - columns[begin]
            parts = max(
                2.0,
                -(-rest // box.capacity),
                -(-_seconds(pieces, begin, len(pieces)) // options.max_cue_seconds),
            )
            stop = best_stop(
                pieces,
                begin,
                range(begin + 1, stop + 1),
                target=rest / parts,
                scale=box.capacity,
            )
        yield pieces[begin:stop]
        begin = stop


def _seconds(pieces: Sequence[Piece], begin: int, stop: int) -> float:
    return pieces[stop - 1].end - pieces[begin].start


def _without_flashes(groups: Sequence[_Group], options: CueOptions) -> list[_Group]:
    """Join what would be gone before it is read with a neighbour of the same speaker."""
    merged: list[_Group] = []
    for index, group in enumerate(groups):
        following = groups[index + 1].start if index + 1 < len(groups) else END_OF_TIME
        if merged:
            last = merged[-1]
            on_screen_seconds = min(group.start - last.start, following - group.start)
            if on_screen_seconds < options.min_cue_seconds and (
                both := _joined(last, group, options)
            ):
                merged[-1] = both
                continue
        merged.append(group)
    return merged


def _joined(left: _Group, right: _Group, options: CueOptions) -> _Group | None:
    """Make two groups one; None: they are apart, or too much for one cue."""
    if left.speaker != right.speaker or abs(right.start - left.end) > _SAME_BREATH_SECONDS:
        return None
    first = right.pieces[0]
    glued = first.glued or joins_without_space(left.pieces[-1].text, first.text)
    pieces = [*left.pieces, replace(first, glued=glued), *right.pieces[1:]]
    if _seconds(pieces, 0, len(pieces)) > options.max_cue_seconds:
        return None
    return replace(left, pieces=pieces) if reach(pieces, 0, left.box) == len(pieces) else None
