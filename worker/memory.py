"""Measure how much memory this process and its GPU hold."""

import logging
import os
import resource
from pathlib import Path
from typing import Literal

from jobs.workers import Gpu
from worker.nvml import measure

log = logging.getLogger(__name__)


def rss_bytes(pid: int | None = None) -> int | None:
    """Return how much of this machine's memory a process holds now; None where Linux is not.

    Args:
        pid: of the process; None: this one.
    """
    try:
        resident_pages = int(Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1])
    except OSError:
        return None
    return resident_pages * resource.getpagesize()


def gpu(device: Literal["cpu", "cuda"]) -> Gpu | None:
    """Return what the GPU of this process is and holds; None on the CPU, or if it fails.

    The numbers are the driver's, for the whole card: they count CTranslate2's memory, of which
    torch's own counters know nothing, and that of other processes. Without NVML there is less.
    """
    if device == "cpu":
        return None
    import torch  # heavy, and loaded already where there is a GPU

    try:
        card = torch.cuda.get_device_properties(torch.cuda.current_device())
        for kind in ("GPU", "MIG"):  # torch names both without it
            found = measure(f"{kind}-{card.uuid}", pid=os.getpid())
            if found is not None:
                return found
        free, total = torch.cuda.mem_get_info()
    except (RuntimeError, AssertionError) as error:  # no driver; a build without CUDA
        log.warning("the GPU tells nothing of its memory: %s", error)
        return None
    return Gpu(
        name=card.name,
        uuid=f"GPU-{card.uuid}",
        index=torch.cuda.current_device(),
        vram_used_bytes=total - free,
        vram_total_bytes=total,
    )
