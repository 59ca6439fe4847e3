import threading

import pytest

from pipeline import one_by_one
from pipeline.one_by_one import OneByOne

SECONDS = 10.0


class Canceled(Exception):
    """What a caller may raise while it waits."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_by_one, "PATIENCE_SECONDS", 0.01)


def test_who_waits_moves_as_far_as_the_one_in_front_does_and_stands_while_it_stands() -> None:
    turns = OneByOne()
    told: list[float] = []
    steps = iter((0.0, 0.5, 0.5, 1.0))
    is_over = threading.Event()

    with turns.alone(told.append) as advance:

        def tell(fraction: float) -> None:
            told.append(fraction)
            step = next(steps, None)
            if step is None:
                is_over.set()
                return
            advance(step)

        def wait() -> None:
            with turns.alone(tell):
                pass

        other = threading.Thread(target=wait)
        other.start()
        assert is_over.wait(SECONDS)
    other.join(SECONDS)

    assert told[0] == told[1] == 0.0  # nothing is done yet
    assert told == sorted(told)
    assert told[2] == told[3] == pytest.approx(1 - 0.5**0.5)  # the one in front stood still
    assert told[4] == 0.5


def cancel(fraction: float) -> None:
    raise Canceled


def test_who_does_not_want_to_wait_leaves_the_line() -> None:
    turns = OneByOne()

    def wait() -> None:
        with pytest.raises(Canceled), turns.alone(cancel):
            pass

    with turns.alone(cancel):
        other = threading.Thread(target=wait)
        other.start()
        other.join(SECONDS)
        assert not other.is_alive()


def test_a_block_that_fails_lets_the_next_one_in() -> None:
    turns = OneByOne()
    with pytest.raises(Canceled), turns.alone(lambda _: None):
        raise Canceled

    with turns.alone(cancel) as advance:  # there is nobody to wait for
        advance(1.0)
