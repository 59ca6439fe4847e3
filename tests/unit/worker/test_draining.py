import pytest

from jobs.errors import HandedBack
from worker.drain import Drain


def test_a_worker_that_nobody_told_to_end_goes_on() -> None:
    drain = Drain(0.0)

    drain.check()
    drain.must_not_have_begun()
    assert drain.overdue_seconds() < 0


def test_told_to_end_a_worker_begins_nothing_and_lets_its_jobs_have_their_time() -> None:
    drain = Drain(600.0)
    drain.begin()

    drain.check()
    with pytest.raises(HandedBack):
        drain.must_not_have_begun()


def test_told_again_it_hands_back_at_once() -> None:
    drain = Drain(600.0)
    drain.begin()
    drain.begin()

    with pytest.raises(HandedBack):
        drain.check()
    assert drain.overdue_seconds() >= 0
