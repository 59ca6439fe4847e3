"""Find the voices of overlapping windows that need not be heard again.

Windows of ten seconds, one second apart, show the same speech ten times. Where a voice of one
window talks at the same moments as a voice of a neighbour, both are one person's, and what
describes the one describes the other.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

_BLOCK = 500  # windows compared at once, 7 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Which voices describe each voice of each window; `window * n_voices + voice` names one.

    A voice that is heard itself has itself for both; one that nothing describes has -1.
    """

    voices: Indices  # shape (n_windows, n_voices, 2)
    weights: Floats  # same shape; of each voice they add up to 1

    @property
    def heard(self) -> Flags:
        """Tell which voices are heard themselves, shape (n_windows, n_voices)."""
        shape = self.voices.shape[:2]
        own: Indices = np.arange(shape[0] * shape[1]).reshape(shape)
        return np.equal(self.voices[..., 0], own)

    def describe(self, embeddings: Floats) -> Floats:
        """Hand the descriptions of the voices that are heard on to the others.

        Args:
            embeddings: shape (n_windows, n_voices, dimension).

        Returns:
            Same shape; NaN for voices that nothing describes.
        """
        rows = embeddings.reshape(-1, embeddings.shape[-1])
        result = np.full_like(embeddings, np.nan)
        described = self.voices[..., 0] >= 0
        pairs = rows[self.voices[described]]
        result[described] = (pairs * self.weights[described][..., None]).sum(axis=1)
        return result


def find_sources(
    masks: Flags, *, step_frames: float, every: int, agreement: float, least_frames: int
) -> Sources:
    """Choose the voices that are heard, and those that are described by them.

    One window in `every` is heard, and the last. In a window between, a voice is described by the
    mean of two: on either side the one, less than `every` windows away and heard, that talks most
    nearly when it does; the nearer weighs more. Where only one side agrees, it is described by
    that one; where none does, it is heard itself, and may describe those after it.

    Args:
        masks: when each voice talks, shape (n_windows, n_frames, n_voices).
        step_frames: from the beginning of one window to that of the next.
        every: 1: all voices are heard.
        agreement: of the moments at which one of two voices talks, in the sound that both windows
            show, the share above which both must; 0 to 1.
        least_frames: a voice that talks for less is not described.
    """
    n_windows, _, n_voices = masks.shape
    numbers = np.arange(n_windows * n_voices).reshape(n_windows, n_voices)
    talks = masks.sum(axis=1) >= least_frames
    regular = np.arange(n_windows) % every == 0
    regular[-1] = True
    heard = talks & regular[:, None]
    voices = np.where(heard, numbers, -1)[..., None].repeat(2, axis=2)
    weights = np.full(voices.shape, 0.5, dtype=np.float32)
    alike = [_agreements(masks, n, step_frames=step_frames) for n in range(1, every)]
    for window in np.flatnonzero(talks.any(axis=1) & ~regular).tolist():
        before = range(max(window - every + 1, 0), window)
        after = range(window + 1, min(window + every, n_windows))
        sides = [_best(window, others, alike, heard, agreement) for others in (before, after)]
        found = np.stack(sides, axis=1)
        found = np.where(found < 0, found[:, ::-1], found)  # one side for both
        alone = talks[window] & (found[:, 0] < 0)
        found[alone] = numbers[window, alone, None]
        found[~talks[window]] = -1
        heard[window] = alone
        voices[window] = found
        distance = np.maximum(abs(found // n_voices - window), 1)
        weights[window] = distance[:, ::-1] / distance.sum(axis=1, keepdims=True)
    return Sources(voices=voices, weights=weights)


def _best(
    window: int, others: Iterable[int], alike: list[Floats], heard: Flags, agreement: float
) -> Indices:
    """Find for each voice of a window the one of others that agrees best; -1: none does."""
    n_voices = heard.shape[1]
    best = np.full(n_voices, agreement, dtype=np.float32)
    found = np.full(n_voices, -1)
    for other in others:
        if not heard[other].any():
            continue
        earlier = alike[abs(other - window) - 1][min(window, other)]
        there = np.where(heard[other], earlier if other > window else earlier.T, 0.0)
        better = there.max(axis=1) > best
        best[better] = there.max(axis=1)[better]
        found[better] = other * n_voices + there.argmax(axis=1)[better]
    return found


def _agreements(masks: Flags, distance: int, *, step_frames: float) -> Floats:
    """Compare the voices of each window with those of the one `distance` windows later.

    Returns:
        Intersection over union, shape (n_windows - distance, n_voices, n_voices).
    """
    n_windows, n_frames, n_voices = masks.shape
    offset = round(distance * step_frames)
    result = np.zeros((max(n_windows - distance, 0), n_voices, n_voices), dtype=np.float32)
    for first in range(0, len(result), _BLOCK):
        last = min(first + _BLOCK, len(result))
        one = masks[first:last, offset:].astype(np.float32)
        other = masks[first + distance : last + distance, : n_frames - offset].astype(np.float32)
        both = one.transpose(0, 2, 1) @ other
        either = one.sum(axis=1)[:, :, None] + other.sum(axis=1)[:, None] - both
        result[first:last] = both / np.maximum(either, 1)
    return result
