"""Say how many seconds of processor time programs have taken; a busy machine hardly changes it."""

import psutil


def processor_seconds(pid: int) -> float:
    """Return what a process and those that it started have taken so far."""
    process = psutil.Process(pid)
    return sum(map(_own, (process, *process.children(recursive=True))))


def _own(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:  # its parent counts it from now on
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)
