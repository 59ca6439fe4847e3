"""Let the threads of one operation wait for each other without burning the cores they wait for."""

import os


def wait_passively() -> None:
    """Make OpenMP's threads sleep at their barriers; must run before torch or CTranslate2 load.

    By default they spin. While anything else computes on the machine (the API, a server, another
    job) a spinning thread holds the core that the last one needs: diarizing the sample call took
    44.8 s beside one busy process on two cores, 5.7 s with passive waiting, and 2.9 s alone
    either way. What the operator has set stays.
    """
    # OpenMP reads its environment once, when it is loaded, and has no call for this.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
