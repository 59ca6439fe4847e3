import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.voice_reuse import Flags, Sources, find_sources

FRAMES = 100  # of a window; one window begins 10 after the other
STEP = 10


def windows(*voices: Flags, count: int = 13) -> Flags:
    """Show each window of some voices, given as when they talk."""
    seen = [
        np.stack([voice[n * STEP : n * STEP + FRAMES] for voice in voices]) for n in range(count)
    ]
    return np.stack(seen).transpose(0, 2, 1)


def talking(*spans: tuple[int, int]) -> Flags:
    flags = np.zeros(FRAMES + 20 * STEP, dtype=np.bool_)
    for start, end in spans:
        flags[start:end] = True
    return flags


def sources(masks: Flags, *, every: int = 3, agreement: float = 0.8) -> Sources:
    return find_sources(masks, step_frames=STEP, every=every, agreement=agreement, least_frames=5)


def test_a_voice_that_talks_all_along_is_heard_in_every_third_window_and_the_last() -> None:
    heard = sources(windows(talking((0, 300)), count=12)).heard

    assert np.flatnonzero(heard[:, 0]).tolist() == [0, 3, 6, 9, 11]


def test_what_is_between_two_voices_is_nearer_to_the_nearer() -> None:
    found = sources(windows(talking((0, 300))))
    embeddings = np.arange(13, dtype=np.float32)[:, None, None]  # a voice that goes up
    unheard = np.where(found.heard[..., None], embeddings, np.nan)

    assert found.voices[4, 0].tolist() == [3, 6]
    assert found.describe(unheard) == pytest.approx(embeddings)


def test_every_voice_is_heard_where_every_window_is() -> None:
    masks = windows(talking((0, 90)), talking((90, 300)))

    assert (sources(masks, every=1).heard == (masks.sum(axis=1) >= 5)).all()


def test_a_voice_is_found_again_under_another_number() -> None:
    masks = windows(talking((0, 60), (150, 210)), talking((70, 140), (215, 300)))
    masks[3] = masks[3][:, ::-1]

    assert sources(masks).voices[1].tolist() == [[0, 7], [1, 6]]


def test_a_voice_that_talks_at_other_moments_than_all_around_is_heard_itself() -> None:
    masks = windows(talking((0, 300)))
    masks[5] = False
    masks[5, 20:40] = True

    found = sources(masks)

    assert np.flatnonzero(found.heard[:, 0]).tolist() == [0, 3, 5, 6, 9, 12]
    assert found.voices[4, 0].tolist() == [3, 6]


def test_a_voice_with_one_side_that_agrees_is_described_by_it() -> None:
    masks = windows(talking((0, 300)))
    masks[6] = False
    masks[6, 20:40] = True

    assert sources(masks).voices[4, 0].tolist() == [3, 3]


def test_agreement_is_of_the_moments_that_both_windows_show() -> None:
    masks = np.zeros((2, FRAMES, 1), dtype=np.bool_)
    masks[0, 20:60] = True
    masks[1, 10:42] = True  # 32 of the same 40 moments
    masks[1, 90:] = True  # which the first window does not show
    masks = np.concatenate([masks, np.zeros_like(masks)])  # so that the second is not the last

    assert sources(masks, agreement=0.79).voices[1, 0].tolist() == [0, 0]
    assert sources(masks, agreement=0.81).voices[1, 0].tolist() == [1, 1]


def test_a_voice_that_is_hardly_heard_is_not_described() -> None:
    masks = windows(talking((0, 300)), talking((112, 116)))

    found = sources(masks)

    assert (found.voices[:, 1] == -1).all()
    assert np.isnan(found.describe(np.ones((13, 2, 4), dtype=np.float32))[:, 1]).all()


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_media_may_have_fewer_windows_than_are_skipped(count: int) -> None:
    found = sources(windows(talking((0, 300)), count=count), every=5)

    assert np.flatnonzero(found.heard[:, 0]).tolist() == sorted({0, count - 1})
    assert found.voices.min() >= 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.floats(0.0, 1.0))
def test_who_describes_is_heard_and_less_than_so_many_windows_away(
    seed: int, every: int, agreement: float
) -> None:
    masks = np.random.default_rng(seed).random((14, FRAMES, 3)) < 0.3
    masks[::4, :, 1] = False

    found = sources(masks, every=every, agreement=agreement)
    described = found.voices[..., 0] >= 0
    own = np.arange(described.size).reshape(described.shape)[described]

    assert (described == (masks.sum(axis=1) >= 5)).all()
    assert found.heard.reshape(-1)[found.voices[described]].all()
    assert (abs(own[:, None] // 3 - found.voices[described] // 3) < every).all()
    assert found.weights[described].sum(axis=1) == pytest.approx(1.0)
