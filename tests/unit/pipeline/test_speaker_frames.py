import itertools

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.speaker_frames import Run, activations, most_active, runs, thinned


def test_windows_that_agree_add_up_and_windows_may_run_past_the_end() -> None:
    windows = np.array([[[1, 0], [1, 0], [0, 1]], [[1, 0], [0, 1], [0, 1]]], dtype=np.float32)
    clusters = np.array([[0, 1], [0, 1]])

    found = activations(windows, clusters, np.array([0, 1]), n_frames=3)

    assert found.tolist() == [[1, 0], [2, 0], [0, 2]]


def test_two_voices_of_one_speaker_in_one_window_count_once() -> None:
    windows = np.array([[[1, 1], [0, 1]]], dtype=np.float32)

    found = activations(windows, np.array([[0, 0]]), np.array([0]), n_frames=2)

    assert found.tolist() == [[1], [1]]


def test_a_voice_that_is_nobodys_does_not_count() -> None:
    windows = np.ones((1, 2, 2), dtype=np.float32)

    found = activations(windows, np.array([[0, -2]]), np.array([0]), n_frames=2)

    assert found.tolist() == [[1], [1]]
    assert activations(windows, np.array([[-2, -2]]), np.array([0]), n_frames=2).tolist() == [
        [0],
        [0],
    ]


def test_where_more_voices_are_counted_than_speakers_exist_nobody_is_made_up() -> None:
    picked = most_active(np.array([[3.0], [2.0]], dtype=np.float32), np.array([1, 2]))

    assert picked.tolist() == [[True], [True]]


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 5), min_size=3, max_size=3), st.integers(0, 3)),
        min_size=1,
        max_size=40,
    )
)
def test_as_many_speakers_talk_as_are_counted_and_none_is_less_active_than_a_silent_one(
    frames: list[tuple[list[int], int]],
) -> None:
    activity = np.array([levels for levels, _ in frames], dtype=np.float32)
    count = np.array([n for _, n in frames])

    picked = most_active(activity, count)

    assert picked.sum(axis=1).tolist() == count.tolist()
    for levels, talks in zip(activity, picked, strict=True):
        assert levels[talks].min(initial=99) >= levels[~talks].max(initial=-1)


@given(st.lists(st.booleans(), max_size=30))
def test_runs_hold_exactly_the_frames_that_are_set(column: list[bool]) -> None:
    flags: npt.NDArray[np.bool_] = np.array([column, column], dtype=np.bool_).T.reshape(-1, 2)
    redrawn = np.zeros_like(flags)

    found = runs(flags)

    for run in found:
        redrawn[run.first : run.last, run.speaker] = True
    assert (redrawn == flags).all()
    for one, other in itertools.pairwise(found):
        assert one.speaker != other.speaker or one.last < other.first


def test_a_run_lasts_to_the_end() -> None:
    assert runs(np.array([[False], [True], [True]])) == [Run(first=1, last=3, speaker=0)]


def test_what_is_thinned_out_keeps_both_ends_and_its_order() -> None:
    kept = thinned(np.arange(1000), at_most=10)

    assert len(kept) == 10
    assert (kept[0], kept[-1]) == (0, 999)
    assert (np.diff(kept) > 100).all()
    assert thinned(np.arange(5), at_most=10).tolist() == [0, 1, 2, 3, 4]
