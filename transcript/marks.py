"""Say which word of a cue is being spoken at which moment."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from transcript.cues import Cue
from transcript.screen import FRAME_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenWord:
    """A word of a cue while the cue is on the screen."""

    begin: int  # its first piece, counted through the rows of the cue
    stop: int  # behind its last piece
    start: float  # seconds; inside the cue, not before the end of the word before it
    end: float  # never before `start`


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A part of a cue's time in which nothing changes."""

    start: float
    end: float  # after `start`, by a whole frame at least
    word: SpokenWord | None  # None: nobody speaks, or it is not known what


def spoken_words(cue: Cue) -> Iterator[SpokenWord]:
    """Yield the words whose times are known, in order; text that no word covers is left out."""
    pieces = [piece for row in cue.rows for piece in row]
    begins = [at for at, piece in enumerate(pieces) if not at or piece.opens_word]
    time = cue.start
    for begin, stop in pairwise((*begins, len(pieces))):
        if pieces[begin].is_timed:
            start = min(max(pieces[begin].start, time), cue.end)
            time = min(max(pieces[stop - 1].end, start), cue.end)
            yield SpokenWord(begin=begin, stop=stop, start=start, end=time)


def moments_of(cue: Cue) -> Iterator[Moment]:
    """Part the time of a cue, without a gap, into moments.

    No moment is shorter than a frame: a word that is keeps the next one waiting, and a pause that
    is belongs to the word beside it. A word for which no frame is left has no moment.
    """
    time = cue.start
    for word in spoken_words(cue):
        start = word.start if word.start - time >= FRAME_SECONDS else time
        end = max(word.end, start + FRAME_SECONDS)
        end = end if cue.end - end >= FRAME_SECONDS else cue.end
        if start > time and end - start < FRAME_SECONDS:
            break
        if time >= cue.end:
            break
        if start > time:
            yield Moment(start=time, end=start, word=None)
        yield Moment(start=start, end=end, word=word)
        time = end
    if time < cue.end:
        yield Moment(start=time, end=cue.end, word=None)
