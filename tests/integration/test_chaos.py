"""A short piece of `make chaos`: some of everything that can go wrong, and nothing is lost."""

from tests.chaos.__main__ import run


def test_whatever_goes_wrong_no_job_is_lost_doubled_or_stuck() -> None:
    found, recoveries, failed = run(jobs=80, faults=16, seconds=30, seed=1)

    assert failed == []
    assert found.is_clean, found
    assert found.jobs == 80
    assert all(tally.given_up == 0 for tally in recoveries.tallies.values()), recoveries.tallies
