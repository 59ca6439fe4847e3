import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobs.attempt import SetbackCode
from worker.child import NEVER, Child, how
from worker.gpus import Place
from worker.restarts import HEALTHY_SECONDS, Restarts
from worker.watching import Watch

OPEN = Path("/proc/self/fd")


def child(*, give_up_after: int = 3, **fields: object) -> Child:
    return Child(
        place=Place(name="cpu"),
        name="cpu@test",
        restarts=Restarts(give_up_after=give_up_after, longest_pause_seconds=60),
        **fields,  # type: ignore[arg-type]
    )


def test_what_keeps_dying_is_given_up_with_its_last_words() -> None:
    mortal = child()
    said = []
    for _ in range(3):
        mortal.start([sys.executable, "-c", "raise SystemExit('CUDA error: unspecified')"])
        assert mortal.popen is not None
        said.append(mortal.bury(mortal.popen.wait(30)))

    assert [each[:5] for each in said] == ["again", "again", "never"]
    assert mortal.start_at == NEVER
    assert mortal.reason == "it died 3 times in a row, last by exit code 1"
    assert said[-1].endswith("its last words were\nCUDA error: unspecified")


def test_what_lacks_something_that_comes_back_is_never_given_up() -> None:
    mortal = child()

    for _ in range(10):
        assert mortal.bury(os.EX_TEMPFAIL) == "again in 1 s"
        assert mortal.bury(0) == "again in 1 s"
        mortal.killed_for = SetbackCode.OUT_OF_MEMORY
        assert mortal.bury(-signal.SIGKILL) == "again in 1 s"
        mortal.killed_for = None


def test_jobs_that_are_too_large_for_the_machine_do_not_give_up_its_place() -> None:
    of_jobs, itself = child(oom_kills=-1), child(oom_kills=-1)

    for number in range(10):
        assert of_jobs.bury(-signal.SIGKILL, {f"job_{number}"}) == "again in 1 s"
    said = [itself.bury(-signal.SIGKILL) for _ in range(3)]

    assert said[-1].startswith("never again")


@pytest.mark.parametrize("how_long", [1.0, HEALTHY_SECONDS + 1])
def test_a_process_that_ends_a_job_or_works_for_long_is_in_health(how_long: float) -> None:
    ours, theirs = os.pipe()
    mortal = child(watch=Watch(ours), worked_at=time.monotonic() - how_long)
    mortal.restarts.count(set())

    os.write(theirs, b'{"job_a": 0.1}\n')
    mortal.hear()
    assert mortal.restarts.deaths == (1 if how_long < HEALTHY_SECONDS else 0)
    os.write(theirs, b"{}\n")  # it ended job_a
    mortal.hear()

    assert mortal.restarts.deaths == 0
    os.close(theirs)
    os.close(ours)


@pytest.mark.parametrize("code", [2, os.EX_CONFIG])
def test_what_says_that_it_cannot_start_is_not_started_again(code: int) -> None:
    mortal = child()

    assert mortal.bury(code).startswith("never again")
    assert mortal.start_at == NEVER


def test_a_program_that_is_not_there_is_tried_again_and_leaves_nothing_open(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mortal = child()
    before = len(list(OPEN.iterdir()))

    with caplog.at_level(logging.ERROR):
        mortal.start(["/no/such/program"])

    assert mortal.popen is None
    assert 0 < mortal.start_at < NEVER
    assert "cpu@test does not start" in caplog.text
    assert len(list(OPEN.iterdir())) == before


def test_jobs_are_blamed_for_what_they_did_and_for_nothing_else() -> None:
    assert child().blame(0) is None
    assert child().blame(-signal.SIGSEGV) is SetbackCode.CRASHED
    stalled = child(killed_for=SetbackCode.STALLED)
    assert stalled.blame(-signal.SIGKILL) is SetbackCode.STALLED
    assert child(is_given_up=True).blame(-signal.SIGKILL) is None


def test_the_kernel_is_recognised_where_it_killed_for_want_of_memory() -> None:
    killed = child(oom_kills=-1)  # one more was counted since it was started

    assert killed.blame(-signal.SIGKILL) is SetbackCode.OUT_OF_MEMORY
    assert killed.blame(-signal.SIGSEGV) is SetbackCode.CRASHED


def test_the_log_names_how_a_process_ended() -> None:
    assert how(1) == "exit code 1"
    assert how(-9) == "signal SIGKILL"
    assert how(-40) == "signal 40"  # a real-time signal


def test_a_launcher_loads_no_model_and_nothing_that_could() -> None:
    program = "import sys, worker.__main__, worker.launching\n"
    program += (
        "print({'torch', 'ctranslate2', 'pipeline', 'numpy', 'celery.worker'} & {*sys.modules})"
    )

    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert said.stdout.decode().strip() == "set()"
