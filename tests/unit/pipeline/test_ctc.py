from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ctc import LabelFrames, place_labels


def log_probabilities(seed: int, n_frames: int, n_labels: int) -> tuple[np.ndarray, np.ndarray]:
    scores = np.random.default_rng(seed).normal(size=(n_frames, n_labels + 1)) * 3
    scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return scores[:, 0].astype(np.float32), scores[:, 1:].astype(np.float32)


def total(blank: np.ndarray, labels: np.ndarray, starts: tuple[int, ...]) -> float:
    """Score a path: it ends with its last label, every other frame is blank."""
    frames = set(range(starts[-1] + 1)) - set(starts)
    said = sum(float(labels[frame, label]) for label, frame in enumerate(starts))
    return said + sum(float(blank[frame]) for frame in frames)


@given(seed=st.integers(0, 10_000), n_frames=st.integers(1, 9), n_labels=st.integers(1, 5))
def test_no_other_path_is_more_probable(seed: int, n_frames: int, n_labels: int) -> None:
    blank, labels = log_probabilities(seed, n_frames, n_labels)

    placed = place_labels(blank, labels)

    if n_labels > n_frames:
        assert placed is None
        return
    assert placed is not None
    best = max(total(blank, labels, path) for path in combinations(range(n_frames), n_labels))
    assert total(blank, labels, tuple(placed.starts)) == pytest.approx(best, abs=1e-4)


@given(seed=st.integers(0, 10_000), n_frames=st.integers(1, 200), share=st.floats(0.01, 1.0))
def test_labels_follow_each_other_without_gaps(seed: int, n_frames: int, share: float) -> None:
    blank, labels = log_probabilities(seed, n_frames, max(1, int(n_frames * share)))

    placed = place_labels(blank, labels)

    assert placed is not None
    assert (placed.starts >= 0).all()
    assert (placed.starts < placed.ends).all()
    assert (placed.starts[1:] == placed.ends[:-1]).all()
    assert placed.ends[-1] <= n_frames
    assert ((placed.scores >= 0) & (placed.scores <= 1)).all()


def test_labels_are_found_where_they_are_said() -> None:
    said = [3, 4, 17, 40]
    blank = np.full(50, np.log(0.97), dtype=np.float32)
    labels = np.full((50, 4), np.log(0.01), dtype=np.float32)
    for label, frame in enumerate(said):
        blank[frame] = np.log(0.01)
        labels[frame, label] = np.log(0.97)

    placed = place_labels(blank, labels)

    assert placed is not None
    assert placed.starts.tolist() == said
    assert placed.ends.tolist() == [4, 17, 40, 41]
    assert placed.scores == pytest.approx(np.full(4, 0.97))


def test_as_many_labels_as_frames_take_one_each() -> None:
    blank, labels = log_probabilities(0, 7, 7)

    placed = place_labels(blank, labels)

    assert placed is not None
    assert placed.starts.tolist() == list(range(7))


def test_nothing_to_say_is_placed_nowhere() -> None:
    placed = place_labels(np.zeros(5, dtype=np.float32), np.zeros((5, 0), dtype=np.float32))

    assert isinstance(placed, LabelFrames)
    assert len(placed.starts) == len(placed.ends) == len(placed.scores) == 0


def test_log_probabilities_that_are_no_numbers_place_nothing() -> None:
    blank, labels = log_probabilities(0, 9, 3)
    labels[4] = np.nan
    blank[4] = np.nan

    assert place_labels(blank, labels) is None
