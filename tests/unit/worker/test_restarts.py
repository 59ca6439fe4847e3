from worker.restarts import Restarts


def restarts(give_up_after: int = 3) -> Restarts:
    return Restarts(give_up_after=give_up_after, longest_pause_seconds=60)


def test_what_keeps_dying_is_started_more_and_more_seldom() -> None:
    mortal = restarts(0)
    # Two days of it; a float has no room for 2 ** 1024.
    for number in range(3000):
        mortal.count(set())
        wanted = min(2 ** min(number, 16), 60)

        assert wanted <= mortal.pause() <= min(wanted * 1.25, 60)

    assert not mortal.are_over  # 0: never


def test_gpus_that_fail_together_are_not_started_together() -> None:
    mortal = restarts()
    mortal.count(set())

    assert len({mortal.pause() for _ in range(10)}) > 1


def test_a_gpu_is_given_up_after_so_many_deaths_in_a_row() -> None:
    mortal = restarts(3)
    for is_over in (False, False, True):
        mortal.count(set())

        assert mortal.are_over is is_over

    mortal.forget()
    assert (mortal.deaths, mortal.are_over) == (0, False)


def test_a_job_that_kills_its_process_again_and_again_counts_once() -> None:
    mortal = restarts(3)
    for _ in range(4):
        mortal.count({"job_a"})
    assert mortal.deaths == 1

    mortal.count({"job_a", "job_b"})
    assert mortal.deaths == 2


def test_a_gpu_that_kills_every_job_is_given_up() -> None:
    mortal = restarts(3)
    for job in ("job_a", "job_b", "job_c"):
        mortal.count({job})

    assert mortal.are_over
