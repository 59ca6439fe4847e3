"""Let the threads of one operation wait for each other without burning the cores they wait for."""

import os

_MOST_THREADS = 4  # of a pass; what CTranslate2 takes by itself, however few cores there are


def wait_passively() -> None:
    """Make OpenMP's threads sleep at their barriers; must run before torch or CTranslate2 load.

    By default they spin. While anything else computes on the machine (the API, a server, another
    job) a spinning thread holds the core that the last one needs: diarizing the sample call took
    44.8 s beside one busy process on two cores, 5.7 s with passive waiting, and 2.9 s alone
    either way. What the operator has set stays.
    """
    # OpenMP reads its environment once, when it is loaded, and has no call for this.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def cpu_threads_of_a_pass() -> int:
    """Choose how many threads share one operation of CTranslate2 on the CPU; 0: the operator has.

    With four threads on two cores, the small steps of Whisper's decoder took 0.33 s of CPU time for
    a window, with two threads 0.25 s.
    """
    if os.environ.get("OMP_NUM_THREADS"):
        return 0
    return min(_MOST_THREADS, len(os.sched_getaffinity(0)))
