"""Take from a process what the decoding of one file does not need.

Decoders are large, old and written in C, and the media comes from strangers. The process that
runs them has its files open already, so it may open none, and no socket either.
"""

import ctypes
import os
import resource
import signal
import sys
import threading

# Address space: Python, numpy and FFmpeg map 0.30 GB (and use 0.06), a two-hour MP3 no more than
# that. The rest is for the index of a long film.
MEMORY_BYTES = 1 << 30
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def confine(*, cpu_seconds: int, output_bytes: int, spare_files: int) -> None:
    """Limit this process, for good.

    Args:
        cpu_seconds: after which the kernel ends it, with SIGXCPU.
        output_bytes: how large a file it may write.
        spare_files: how many files it may open from now on.
    """
    free = os.dup(0)  # the lowest free number; all that are higher are out of reach from now on
    os.close(free)
    _limit(resource.RLIMIT_NOFILE, free + spare_files)
    _limit(resource.RLIMIT_CORE, 0)
    # The kernel's own SIGKILL, a while later, would look as if the machine had no memory left.
    _limit(resource.RLIMIT_CPU, cpu_seconds, beyond=10)
    _limit(resource.RLIMIT_FSIZE, output_bytes)
    if sys.platform == "linux":  # elsewhere the address space cannot be limited
        _limit(resource.RLIMIT_AS, MEMORY_BYTES)


def die_with(parent: int) -> None:
    """End this process when the one that started it ends.

    On Linux the kernel sees to it; everywhere, standard input ends with the parent.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
    threading.Thread(target=_exit_at_end_of_input, name="watch-parent", daemon=True).start()


def _exit_at_end_of_input() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


def _limit(what: int, value: int, *, beyond: int = 0) -> None:
    """Set a limit; `beyond` it, by so much, lies the one that cannot be raised again."""
    hardest = value + beyond
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        hardest = min(hardest, hard)
    resource.setrlimit(what, (min(value, hardest), hardest))
