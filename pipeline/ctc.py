"""Find the frames in which the labels of a known text were said.

The labels are those of a network trained with connectionist temporal classification (CTC). A
path gives every label exactly one frame, in order, and every other frame to the blank; the best
path is found by dynamic programming. This is the topology of WhisperX, not that of
`torchaudio.functional.forced_align`, where a label may fill several frames: the two differ by
more than a frame at the ends of words, and the latter is removed in torchaudio 2.9.

Source: WhisperX, Bain et al. 2023, arXiv:2303.00747, after Kürzinger et al. 2020,
arXiv:2007.09127.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFrames:
    """Where each label lies: it lasts from its own frame until the next label's."""

    starts: npt.NDArray[np.int64]  # shape (n_labels,), strictly increasing
    ends: npt.NDArray[np.int64]  # shape (n_labels,), exclusive; the next label's start
    scores: npt.NDArray[np.float64]  # shape (n_labels,), mean probability of its frames, 0 to 1


def place_labels(
    blank: npt.NDArray[np.float32], labels: npt.NDArray[np.float32]
) -> LabelFrames | None:
    """Lay labels over frames so that the whole is most probable.

    Args:
        blank: shape (n_frames,), log-probability of the blank in each frame.
        labels: shape (n_frames, n_labels), log-probability of each label of the text, in the
            order of the text; a label that occurs twice has two columns.

    Returns:
        One place a label; None where there are more labels than frames, or where the
        log-probabilities are not finite.
    """
    n_frames, n_labels = labels.shape
    if n_labels == 0:
        nothing = np.zeros(0, dtype=np.int64)
        return LabelFrames(starts=nothing, ends=nothing, scores=np.zeros(0))
    if n_labels > n_frames:
        return None
    moves, totals = _search(blank, labels)
    last = int(np.argmax(totals))  # the frame of the last label: later blanks only cost
    if not np.isfinite(totals[last]):
        return None
    return _measure(_trace(moves, last=last), last + 1, blank, labels)


def _search(
    blank: npt.NDArray[np.float32], labels: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """Score every prefix of the text against every prefix of the frames.

    Returns:
        Shape (n_frames, n_labels): whether the best way to have said label j by frame t says it
        in t. Shape (n_frames,): the score of the whole text said by frame t.
    """
    n_frames, n_labels = labels.shape
    moves = np.empty((n_frames, n_labels), dtype=np.bool_)
    totals = np.empty(n_frames, dtype=np.float32)
    # best[j]: score of j labels said so far. float32, and sums in the order of WhisperX, so that
    # near ties fall as they do there.
    best = np.full(n_labels + 1, -np.inf, dtype=np.float32)
    best[0] = 0
    silence = np.cumsum(blank, dtype=np.float64).astype(np.float32)  # nothing said yet
    move = np.empty(n_labels, dtype=np.float32)
    for t in range(n_frames):
        np.add(best[:-1], labels[t], out=move)  # label j is said in this frame
        stay = best[1:]
        stay += blank[t]  # it was said before
        np.greater(move, stay, out=moves[t])
        np.maximum(move, stay, out=stay)
        best[0] = silence[t]
        totals[t] = best[-1]
    return moves, totals


def _trace(moves: npt.NDArray[np.bool_], *, last: int) -> npt.NDArray[np.int64]:
    """Walk back from the frame of the last label; returns every label's own frame."""
    n_labels = moves.shape[1]
    starts = np.empty(n_labels, dtype=np.int64)
    label, frame = n_labels - 1, last
    # A label needs a frame for each one before it, so `frame` cannot run out: with finite scores
    # the cell (label, label) can only be reached by moving.
    while label >= 0:
        if moves[frame, label]:
            starts[label] = frame
            label -= 1
        frame -= 1
    return starts


def _measure(
    starts: npt.NDArray[np.int64],
    end: int,
    blank: npt.NDArray[np.float32],
    labels: npt.NDArray[np.float32],
) -> LabelFrames:
    ends = np.append(starts[1:], end)
    silence = np.concatenate(([0.0], np.cumsum(np.exp(blank, dtype=np.float64))))
    own = np.exp(labels[starts, np.arange(len(starts))], dtype=np.float64)
    scores = (own + silence[ends] - silence[starts + 1]) / (ends - starts)
    return LabelFrames(starts=starts, ends=ends, scores=np.clip(scores, 0.0, 1.0))
