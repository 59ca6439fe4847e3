import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.shared_batches import Line, SharedBatches

SECONDS = 10.0  # nothing here takes as long
THREAD = "shared batches under test"


class Canceled(Exception):
    """What a job raises when its client has withdrawn it."""


def go_on() -> None:
    """Wait as long as it takes."""


class Model:
    """Computes squares, a batch at a time; the first batch takes until it is let go."""

    def __init__(self, *, is_held: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.has_begun = threading.Event()
        self.let_go = threading.Event()
        if not is_held:
            self.let_go.set()

    def squares(self, batch: Sequence[int]) -> list[int]:
        self.batches.append(list(batch))
        self.has_begun.set()
        assert self.let_go.wait(SECONDS)
        return [item * item for item in batch]

    def shared(self) -> SharedBatches[int, int]:
        """Items whose tens are equal may share a batch."""
        return SharedBatches(self.squares, key=lambda item: item // 10, name=THREAD)


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name == THREAD:
            thread.join(SECONDS)
            assert not thread.is_alive()


def taken(line: Line[int, int], count: int) -> dict[int, int]:
    return dict(line.take(go_on) for _ in range(count))


def hold(model: Model, line: Line[int, int]) -> None:
    """Keep the model busy with a first item, so that what follows has to wait."""
    line.put([0])
    assert model.has_begun.wait(SECONDS)


def test_nobody_waits_for_company() -> None:
    model = Model()
    with model.shared().line(most=8) as line:
        line.put([3])

        assert line.take(go_on) == (3, 9)
    assert model.batches == [[3]]


def test_what_comes_during_a_batch_makes_up_the_next() -> None:
    model = Model(is_held=True)
    shared = model.shared()
    with shared.line(most=8) as one, shared.line(most=8) as other:
        hold(model, one)
        one.put([1, 2])
        other.put([3])
        model.let_go.set()

        assert taken(one, 3) == {0: 0, 1: 1, 2: 4}
        assert taken(other, 1) == {3: 9}
    assert model.batches == [[0], [1, 3, 2]]


def test_one_of_many_items_does_not_keep_one_of_few_waiting() -> None:
    model = Model(is_held=True)
    shared = model.shared()
    with shared.line(most=2) as long, shared.line(most=2) as short:
        hold(model, long)
        long.put([1, 2, 3, 4, 5, 6])
        short.put([9])
        model.let_go.set()

        taken(long, 7)
        taken(short, 1)
    assert 9 in model.batches[1]


def test_every_sort_of_batch_has_its_turn() -> None:
    model = Model(is_held=True)
    shared = model.shared()
    with shared.line(most=1) as long, shared.line(most=1) as other:
        hold(model, long)
        long.put([1, 2, 3, 4])
        other.put([11, 12])
        model.let_go.set()

        taken(long, 5)
        taken(other, 2)
    assert model.batches == [[0], [1], [11], [2], [12], [3], [4]]


def test_items_of_different_keys_never_share_a_batch() -> None:
    model = Model(is_held=True)
    shared = model.shared()
    with shared.line(most=8) as one, shared.line(most=8) as other:
        hold(model, one)
        one.put([1, 21, 2])
        other.put([22, 3])
        model.let_go.set()

        taken(one, 4)
        taken(other, 2)
    assert all(len({item // 10 for item in batch}) == 1 for batch in model.batches)


def test_an_item_is_never_in_a_larger_batch_than_its_line_allows() -> None:
    model = Model(is_held=True)
    shared = model.shared()
    with shared.line(most=8) as large, shared.line(most=2) as small:
        hold(model, large)
        large.put([1, 2, 3, 4, 5])
        small.put([7, 8, 9])
        model.let_go.set()

        taken(large, 6)
        taken(small, 3)
    assert all(len(batch) <= 2 for batch in model.batches if {7, 8, 9} & set(batch))
    assert sum(map(len, model.batches)) == 9


def test_what_is_put_first_is_computed_before_the_rest_of_its_line() -> None:
    model = Model(is_held=True)
    with model.shared().line(most=1) as line:
        hold(model, line)
        line.put([1, 2])
        line.put([3], first=True)
        model.let_go.set()

        taken(line, 4)
    assert model.batches == [[0], [3], [1], [2]]


def test_what_still_waits_when_its_job_leaves_is_not_computed() -> None:
    model = Model(is_held=True)
    shared = model.shared()

    def leave() -> None:
        raise Canceled

    def be_canceled(neighbour: Line[int, int]) -> None:
        with shared.line(most=1) as line:
            hold(model, line)
            neighbour.put([3])
            line.put([1, 2])
            line.take(leave)

    with shared.line(most=1) as neighbour:
        with pytest.raises(Canceled):
            be_canceled(neighbour)
        model.let_go.set()

        assert taken(neighbour, 1) == {3: 9}
    assert model.batches == [[0], [3]]


jobs = st.lists(
    st.tuples(st.integers(1, 5), st.lists(st.integers(0, 39), max_size=12)), min_size=1, max_size=6
)


@settings(deadline=None)
@given(jobs)
def test_every_job_gets_the_answers_to_its_own_items_and_no_batch_is_mixed_or_too_large(
    jobs: list[tuple[int, list[int]]],
) -> None:
    batches: list[list[tuple[int, int]]] = []

    def compute(batch: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        batches.append(list(batch))
        return [(job, item * item) for job, item in batch]

    shared = SharedBatches(compute, key=lambda asked: asked[1] // 10, name=THREAD)

    def perform(job: int) -> list[tuple[int, int]]:
        most, items = jobs[job]
        with shared.line(most=most) as line:
            line.put([(job, item) for item in items])
            found = [line.take(go_on) for _ in items]
        assert [asked for asked, _ in found] == [(job, item) for item in items]
        return [answer for _, answer in found]

    with ThreadPoolExecutor(len(jobs)) as pool:
        answers = list(pool.map(perform, range(len(jobs))))

    assert answers == [
        [(job, item * item) for item in items] for job, (_, items) in enumerate(jobs)
    ]
    for batch in batches:
        assert len({item // 10 for _, item in batch}) == 1
        assert len(batch) <= min(jobs[job][0] for job, _ in batch)
