"""Hurt the whole service in every way we know, and see that it loses nothing: make chaos.

Real Valkey, SeaweedFS, API, launchers, Celery processes and housekeepers; the pipeline is a
stand-in that does what the media says. What happens when is decided by the seed; how far each
process has come by then is not.
"""

import argparse
import logging
import random
import shutil
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

from tests.chaos.accounts import Accounts, Verdict, longest_pause, verdict
from tests.chaos.crowd import Crowd
from tests.chaos.faults import FAULTS, Fault, Play
from tests.chaos.recovery import Recoveries
from tests.chaos.report import table
from tests.chaos.scene import Scene

_START_SECONDS = 60.0
_LAST_JOBS_SECONDS = 150.0

log = logging.getLogger(__name__)


def plan(count: int, chance: random.Random) -> list[Fault]:
    """Return which faults come, in their order."""
    whole = sum(fault.share for fault in FAULTS)
    faults = [f for f in FAULTS for _ in range(max(1, round(count * f.share / whole)))]
    chance.shuffle(faults)
    return faults


def run(
    *, jobs: int, faults: int, seconds: float, seed: int, keep: bool = False
) -> tuple[Verdict, Recoveries, list[str]]:
    """Let it all happen; `seconds` is how long faults go on."""
    chance = random.Random(seed)  # noqa: S311  # to be had again
    accounts, recoveries = Accounts(), Recoveries()
    directory = Path(tempfile.mkdtemp(prefix="whisperline-chaos-"))
    with Scene(directory / "stack") as scene:
        scratch = directory / "marks"
        scratch.mkdir()
        scene.wait(scene.is_up, seconds=_START_SECONDS)
        crowd = Crowd(scene.stack.url, accounts, seed=seed, scratch=scratch)
        crowd.start(jobs)
        play = Play(scene=scene, accounts=accounts, recoveries=recoveries, chance=chance)
        _play(play, plan(faults, chance), seconds)
        log.info("all faults are over; %d jobs are not", len(accounts.open()))
        scene.wait(lambda: not crowd.is_sending, seconds=_LAST_JOBS_SECONDS)
        scene.wait(lambda: not accounts.open(), seconds=_LAST_JOBS_SECONDS)
        recoveries.join()
        crowd.stop()
        crowd.look_again()
        seconds_idle, since = longest_pause(accounts.all())
        at = datetime.now() - timedelta(seconds=time.monotonic() - since)  # noqa: DTZ005  as the log
        log.info("for %.0f s from %s on no job was seen to end", seconds_idle, f"{at:%H:%M:%S}")
        found = verdict(accounts.all(), crowd.refused)
        if not found.is_clean:
            (directory / "redis.txt").write_text("\n".join(scene.what_redis_holds()))
    if found.is_clean and not keep:
        shutil.rmtree(directory)
    else:
        log.warning("what was written meanwhile is in %s", directory)
    return found, recoveries, play.failed


def _play(play: Play, faults: list[Fault], seconds: float) -> None:
    """Begin a fault every so often; those that take long go on beside the next ones."""
    began = time.monotonic()
    threads: list[threading.Thread] = []
    for number, fault in enumerate(faults):
        part = play.chance.choice(fault.parts)
        thread = threading.Thread(target=_inject, args=(play, fault, part))
        threads.append(thread)
        thread.start()
        due = began + seconds * (number + 1) / len(faults)
        time.sleep(max(0.0, due - time.monotonic()))
    for thread in threads:
        thread.join()


def _inject(play: Play, fault: Fault, part: str) -> None:
    with play.scene.lock(part):
        try:
            if part == "valkey":  # it may be coming back from the fault before
                play.scene.wait(play.scene.valkey_answers, seconds=60)
            log.info("%s: %s", part, fault.name)
            fault.inject(play, part)
        except Exception:
            log.exception("the fault itself failed: %s", fault.name)
            play.failed.append(fault.name)


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2100)
    parser.add_argument("--faults", type=int, default=210)
    parser.add_argument("--seconds", type=float, default=360, help="how long faults go on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="what was written, also if all is well")
    asked = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(message)s")
    log.setLevel(logging.INFO)
    began = time.monotonic()
    found, recoveries, failed = run(
        jobs=asked.jobs,
        faults=asked.faults,
        seconds=asked.seconds,
        seed=asked.seed,
        keep=asked.keep,
    )
    print(table(found, recoveries, seed=asked.seed, seconds=time.monotonic() - began))  # noqa: T201
    is_well = not any(tally.given_up for tally in recoveries.tallies.values())
    return 0 if found.is_clean and is_well and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
