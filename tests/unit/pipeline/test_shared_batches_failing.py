"""What fails in a shared batch fails whose it is, and nobody else."""

import gc
import threading
import weakref
from collections.abc import Sequence

import pytest

from pipeline.shared_batches import SharedBatches

SECONDS = 10.0  # nothing here takes as long
THREAD = "shared batches that fail"


class Poor(Exception):
    """What the computation of a bad item raises."""


def go_on() -> None:
    """Wait as long as it takes."""


def join() -> None:
    for thread in threading.enumerate():
        if thread.name == THREAD:
            thread.join(SECONDS)


def test_a_bad_item_fails_alone() -> None:
    first_has_begun, let_go = threading.Event(), threading.Event()
    sizes = []

    def compute(batch: Sequence[int]) -> list[int]:
        sizes.append(len(batch))
        first_has_begun.set()
        assert let_go.wait(SECONDS)
        if any(item < 0 for item in batch):
            raise Poor
        return [item * item for item in batch]

    shared = SharedBatches(compute, key=lambda _: None, name=THREAD)
    with shared.line(most=8) as good, shared.line(most=8) as bad:
        good.put([0])
        assert first_has_begun.wait(SECONDS)
        good.put([1, 2, 3])
        bad.put([-4])
        let_go.set()

        assert dict(good.take(go_on) for _ in range(4)) == {0: 0, 1: 1, 2: 4, 3: 9}
        with pytest.raises(Poor):
            bad.take(go_on)
        good.put([5])
        assert good.take(go_on) == (5, 25)
    assert sizes[:2] == [1, 4]


def test_what_does_not_fit_the_memory_is_computed_by_halves_from_then_on() -> None:
    sizes = []

    def compute(batch: Sequence[int]) -> list[int]:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise MemoryError
        return list(batch)

    shared = SharedBatches(compute, key=lambda _: None, name=THREAD)
    with shared.line(most=4) as line:
        line.put([1, 2, 3, 4])
        assert sorted(line.take(go_on)[1] for _ in range(4)) == [1, 2, 3, 4]
        line.put([1, 2, 3, 4])
        assert sorted(line.take(go_on)[1] for _ in range(4)) == [1, 2, 3, 4]

    assert sizes == [4, 2, 2, 2, 2]


def test_an_item_that_fits_no_memory_says_so() -> None:
    def compute(batch: Sequence[int]) -> list[int]:
        raise MemoryError

    shared = SharedBatches(compute, key=lambda _: None, name=THREAD)
    with shared.line(most=4) as line:
        line.put([1, 2])

        with pytest.raises(MemoryError):
            line.take(go_on)


def test_an_error_keeps_nothing_of_the_computation() -> None:
    class Large:
        pass

    kept: list[weakref.ref[Large]] = []

    def compute(batch: Sequence[int]) -> list[int]:
        large = Large()
        kept.append(weakref.ref(large))
        raise Poor

    shared = SharedBatches(compute, key=lambda _: None, name=THREAD)
    gc.collect()
    gc.disable()
    try:
        with shared.line(most=1) as line:
            line.put([1])
            with pytest.raises(Poor) as raised:
                line.take(go_on)
            del raised
        join()
        assert kept[0]() is None
    finally:
        gc.enable()
