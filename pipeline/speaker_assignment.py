"""Say who spoke each word."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipeline.speech import SpokenWord, Turn

# Seconds. A word outside every turn, but this near to one, still belongs to it: quiet beginnings
# and ends of speech are easily clipped. A choice, not a measurement.
NEAR_SECONDS = 0.5
# A word that two speakers share is decided by its neighbours unless one of them has so many
# seconds more of it: word boundaries differ between annotators by 0.08 s at the 95th percentile.
STRADDLE_SECONDS = 0.2
MOST_OF_A_WORD = 0.5  # a share; the voice that goes on through this much of a word may have said it
PAUSE_SECONDS = 0.5  # between two words; what is apart by more was not said in one breath
SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！", "؟", "।")  # noqa: RUF001 - not Latin

NOBODY = -1  # a speaker's index

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


def assign_speakers(
    words: Sequence[SpokenWord],
    exclusive: Sequence[Turn],
    *,
    overlapping: Sequence[Turn] = (),
    fill_nearest: bool,
) -> list[SpokenWord]:
    """Give every word the speaker who talks during most of it.

    A word outside every turn gets the speaker of the nearest turn up to NEAR_SECONDS away (of two
    at the same distance, the earlier one). A word that straddles the change from one speaker to
    another, while the words before and after it in the same sentence are both the other one's,
    follows them: speakers do not swap in the middle of a phrase for a single syllable. Nor do they
    for the last word of a sentence while whoever said the rest of it still talks.

    Args:
        words: by start; what `speaker` they carry already is forgotten.
        exclusive: by start, never overlapping.
        overlapping: the same turns at full length, by start; empty: they are not known.
        fill_nearest: True: a word outside every turn gets the nearest speaker, however far.

    Returns:
        The same words in the same order; `speaker` None where nobody was near.
    """
    if not words or not exclusive:
        return [replace(word, speaker=None) for word in words]
    labels = sorted({turn.speaker for turn in exclusive})
    index = {label: number for number, label in enumerate(labels)}
    turns = _Turns(exclusive, index)
    start = np.array([word.start for word in words])
    end = np.array([word.end for word in words])

    overlap = turns.overlap(start, end, n_speakers=len(labels))
    speaker = overlap.argmax(axis=1)
    outside = overlap.max(axis=1) <= 0
    nearest, distance = turns.nearest(start[outside], end[outside])
    reach = np.inf if fill_nearest else NEAR_SECONDS
    speaker[outside] = np.where(distance <= reach, nearest, NOBODY)
    speaker = _smoothed(speaker, overlap, words)
    everybody = [turn for turn in overlapping if turn.speaker in index]
    speaker = _ended(speaker, _shares(everybody, index, start, end), words)
    return [
        replace(word, speaker=None if who == NOBODY else labels[who])
        for word, who in zip(words, speaker.tolist(), strict=True)
    ]


class _Turns:
    """Answer for many stretches at once who talks in them."""

    def __init__(self, exclusive: Sequence[Turn], index: dict[str, int]) -> None:
        self.start: Floats = np.array([turn.start for turn in exclusive])
        self.end: Floats = np.array([turn.end for turn in exclusive])
        self.speaker: Indices = np.array([index[turn.speaker] for turn in exclusive])

    def overlap(self, start: Floats, end: Floats, *, n_speakers: int) -> Floats:
        """Sum up how long each speaker talks in each stretch.

        Returns:
            Seconds, shape (n_stretches, n_speakers).
        """
        first = np.searchsorted(self.end, start, side="right")  # the first turn still to end
        last = np.searchsorted(self.start, end, side="left")  # the first one after the stretch
        count = np.maximum(last - first, 0)
        # One row for each pair of a stretch and a turn that it touches: no loop over either.
        stretch = np.repeat(np.arange(len(start)), count)
        turn = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[stretch]
        seconds = np.minimum(end[stretch], self.end[turn]) - np.maximum(
            start[stretch], self.start[turn]
        )
        total = np.zeros((len(start), n_speakers))
        np.add.at(total, (stretch, self.speaker[turn]), seconds)
        return total

    def nearest(self, start: Floats, end: Floats) -> tuple[Indices, Floats]:
        """Find the turn next to, or around, stretches that overlap none: pauses and moments.

        Returns:
            The speaker of that turn and the seconds between, each of shape (n_stretches,).
        """
        after = np.searchsorted(self.start, start, side="left")
        before = after - 1
        n = len(self.start)
        gap_before = np.where(before >= 0, start - self.end[np.maximum(before, 0)], np.inf)
        gap_after = np.where(after < n, self.start[np.minimum(after, n - 1)] - end, np.inf)
        turn = np.where(gap_before <= gap_after, before, after)
        return self.speaker[turn], np.maximum(np.minimum(gap_before, gap_after), 0)


def _smoothed(speaker: Indices, overlap: Floats, words: Sequence[SpokenWord]) -> Indices:
    """Let a straddling word between two words of one other speaker follow them."""
    if len(words) < 3:  # a word and its two neighbours
        return speaker
    own, before, after = speaker[1:-1], speaker[:-2], speaker[2:]
    lone = (before == after) & (own != before) & (before != NOBODY)
    smoothed = speaker.copy()
    for n in (np.flatnonzero(lone) + 1).tolist():
        theirs = overlap[n, speaker[n - 1]]
        lead = overlap[n].max() - theirs
        if theirs > 0 and lead <= STRADDLE_SECONDS and _one_phrase(words[n - 1 : n + 2]):
            smoothed[n] = speaker[n - 1]
    return smoothed


def _shares(turns: Sequence[Turn], index: dict[str, int], start: Floats, end: Floats) -> Floats:
    """Return how much of each word each speaker talks through, shape (n_words, n_speakers)."""
    shares = np.zeros((len(start), len(index)))
    for label, who in index.items():
        # One speaker's own turns never overlap, which the search needs.
        own = [turn for turn in turns if turn.speaker == label]
        if own:
            shares[:, who] = _Turns(own, {label: 0}).overlap(start, end, n_speakers=1)[:, 0]
    return shares / np.maximum(end - start, 1e-3)[:, None]


def _ended(speaker: Indices, shares: Floats, words: Sequence[SpokenWord]) -> Indices:
    """Let the last word of a sentence stay with whoever said the rest and still talks."""
    ended = speaker.copy()
    changes = np.flatnonzero((speaker[1:] != speaker[:-1]) & (speaker[:-1] != NOBODY)) + 1
    for n in changes.tolist():
        before = int(ended[n - 1])
        talks_on = before != NOBODY and shares[n, before] >= MOST_OF_A_WORD
        if talks_on and _ends_sentence(words[n]) and _one_phrase(words[n - 1 : n + 1]):
            ended[n] = before
    return ended


def _ends_sentence(word: SpokenWord) -> bool:
    return word.text.rstrip("\"'”’»)]").endswith(SENTENCE_ENDS)  # noqa: RUF001 - quotes


def _one_phrase(words: Sequence[SpokenWord]) -> bool:
    """Tell whether words follow each other without a pause or the end of a sentence."""
    return all(
        later.start - word.end <= PAUSE_SECONDS and not _ends_sentence(word)
        for word, later in itertools.pairwise(words)
    )
