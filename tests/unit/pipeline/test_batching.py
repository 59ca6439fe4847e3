from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from pipeline.batching import BLOCK_BATCHES, batches, reduced
from pipeline.speech import Span, Window


def windows(lengths: list[float]) -> list[Window]:
    return [
        Window(
            start=40.0 * n,
            end=40.0 * n + seconds,
            spans=(Span(start=40.0 * n, end=40.0 * n + seconds),),
        )
        for n, seconds in enumerate(lengths)
    ]


lengths = st.lists(st.floats(0.1, 30), max_size=60)


@given(lengths, st.integers(1, 16))
def test_every_window_is_in_one_batch(seconds: list[float], size: int) -> None:
    found = list(batches(windows(seconds), batch_size=size))

    assert sorted(chain.from_iterable(found)) == list(range(len(seconds)))
    assert all(1 <= len(batch) <= size for batch in found)


@given(lengths, st.integers(1, 16))
def test_no_window_waits_for_one_far_behind_it(seconds: list[float], size: int) -> None:
    order = list(chain.from_iterable(batches(windows(seconds), batch_size=size)))

    assert all(abs(place - index) < BLOCK_BATCHES * size for place, index in enumerate(order))


@given(lengths, st.integers(1, 16))
def test_the_earliest_window_of_a_block_is_in_its_first_batch(
    seconds: list[float], size: int
) -> None:
    found = list(batches(windows(seconds), batch_size=size))

    assert not found or 0 in found[0]


def test_windows_of_like_length_go_together() -> None:
    found = list(batches(windows([29, 1, 28, 2, 27, 3, 26, 4]), batch_size=2))

    assert sorted(map(sorted, found)) == [[0, 2], [1, 3], [4, 6], [5, 7]]


def test_windows_far_apart_do_not_go_together_however_alike() -> None:
    found = list(batches(windows([29, *[1] * 40, 28]), batch_size=2))

    assert (0, 41) not in found
    assert max(found[0]) < BLOCK_BATCHES * 2


def test_a_share_of_a_batch_is_at_least_one_window() -> None:
    assert [reduced(size, 0.5) for size in (16, 3, 2, 1)] == [8, 1, 1, 1]
    assert reduced(16, 1.0) == 16
