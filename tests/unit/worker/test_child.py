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

OPEN = Path("/proc/self/fd")


def child(**fields: object) -> Child:
    return Child(place=Place(name="cpu"), name="cpu@test", **fields)  # type: ignore[arg-type]


def test_what_keeps_dying_is_started_more_and_more_seldom_for_ever() -> None:
    mortal = child()
    # Two days of it; a float has no room for 2 ** 1024.
    said = [mortal.bury(1, longest_pause_seconds=60) for _ in range(3000)]

    assert said[:7] == [f"again in {seconds} s" for seconds in (1, 2, 4, 8, 16, 32, 60)]
    assert said[-1] == "again in 60 s"


def test_what_had_begun_to_work_is_started_again_at_once() -> None:
    mortal = child(deaths=5, heard_at=time.monotonic())

    assert mortal.bury(1, longest_pause_seconds=60) == "again in 1 s"


@pytest.mark.parametrize("code", [2, os.EX_CONFIG])
def test_what_says_that_it_cannot_start_is_not_started_again(code: int) -> None:
    mortal = child()

    assert mortal.bury(code, longest_pause_seconds=60).startswith("never again")
    assert mortal.start_at == NEVER


def test_a_program_that_is_not_there_is_tried_again_and_leaves_nothing_open(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mortal = child()
    before = len(list(OPEN.iterdir()))

    with caplog.at_level(logging.ERROR):
        mortal.start(["/no/such/program"], longest_pause_seconds=60)

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
    program = "import sys, worker.__main__, worker.launcher, worker.bereaved\n"
    program += (
        "print({'torch', 'ctranslate2', 'pipeline', 'numpy', 'celery.worker'} & {*sys.modules})"
    )

    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert said.stdout.decode().strip() == "set()"
