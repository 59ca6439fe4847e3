"""Turn what was heard window by window into who talks at each instant, in bounded memory.

After pyannote.audio 4.0's `SpeakerDiarization.reconstruct` and `Binarize`, whose
(windows x frames x speakers) array of doubles grows to gigabytes on long media
(pyannote-audio#1963) and whose Python loop visits every frame. All here is numpy, O(frames).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]

_BLOCK = 100_000  # frames ranked at once: half an hour, 26 MB with 32 speakers


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One speaker's frames `first` (included) to `last` (excluded)."""

    first: int
    last: int
    speaker: int


def activations(
    windows: Floats, clusters: npt.NDArray[np.integer], first_frames: Indices, *, n_frames: int
) -> Floats:
    """Add up, for every frame and speaker, the windows in which the speaker talks there.

    Args:
        windows: shape (n_windows, n_window_frames, n_voices), 0 to 1.
        clusters: whose voice each is, shape (n_windows, n_voices); negative: nobody's.
        first_frames: where each window begins, shape (n_windows,).
        n_frames: of the whole; windows may run past it.

    Returns:
        shape (n_frames, n_speakers).
    """
    total = np.zeros((n_frames, max(int(clusters.max(initial=-1)) + 1, 1)), dtype=np.float32)
    for window, cluster, first in zip(windows, clusters, first_frames.tolist(), strict=True):
        there = total[first : first + len(window)]
        for speaker in np.unique(cluster[cluster >= 0]):
            # Two voices of one window may be the same speaker's: they count once.
            active = window[: len(there), cluster == speaker].max(axis=1)
            there[:, speaker] += np.nan_to_num(active, nan=0.0)
    return total


def most_active(activity: Floats, count: npt.NDArray[np.integer]) -> Flags:
    """Pick as many speakers at every frame as are counted there, the most active ones.

    Where more talk than there are speakers, all do. pyannote makes up a speaker then, without an
    embedding, out of all the moments at which one voice too many was counted.

    Args:
        activity: shape (n_frames, n_speakers).
        count: how many talk at once, shape (n_frames,).

    Returns:
        shape (n_frames, n_speakers).
    """
    n_frames, n_speakers = activity.shape
    picked = np.zeros((n_frames, n_speakers), dtype=np.bool_)
    for first in range(0, n_frames, _BLOCK):
        last = first + _BLOCK
        # stable: of equals the first, every time
        order = np.argsort(-activity[first:last], axis=1, kind="stable")
        taken = np.arange(n_speakers) < count[first:last, None]
        np.put_along_axis(picked[first:last], order, taken, axis=1)
    return picked


def runs(flags: Flags) -> list[Run]:
    """Find the unbroken runs of every column, by column, then by first frame."""
    found: list[Run] = []
    for speaker, column in enumerate(flags.T):
        edges = np.flatnonzero(np.diff(column.astype(np.int8), prepend=0, append=0))
        found += [
            Run(first=first, last=last, speaker=speaker)
            for first, last in edges.reshape(-1, 2).tolist()
        ]
    return found


def thinned(indices: Indices, *, at_most: int) -> Indices:
    """Keep every n-th of sorted indices, evenly over the whole, if there are too many."""
    if len(indices) <= at_most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, at_most).round().astype(np.int64)]
