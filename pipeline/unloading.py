"""Give the memory of models back, and measure how much that was."""

import ctypes
import gc
import logging
import resource
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pipeline.memory_faults import free_memory

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryHeld:
    """What is in use at one moment; None: not known here."""

    rss_bytes: int | None  # of this process, in the machine's memory
    vram_bytes: int | None  # of all processes on its GPU, CTranslate2's included


def memory_held() -> MemoryHeld:
    """Measure; the GPU only if torch has begun to use it, as asking would begin it."""
    try:
        resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
        rss_bytes = resident_pages * resource.getpagesize()
    except OSError:  # not Linux
        rss_bytes = None
    torch = sys.modules.get("torch")
    vram_bytes = None
    if torch is not None and torch.cuda.is_initialized():
        free, total = torch.cuda.mem_get_info()  # the driver's; torch's own count is torch's only
        vram_bytes = total - free
    return MemoryHeld(rss_bytes=rss_bytes, vram_bytes=vram_bytes)


def give_back() -> None:
    """Return to the system what is freed: torch's blocks on the GPU, glibc's heap here.

    Without the latter most of a freed model stays with the process: it lay between what lives on.
    """
    free_memory()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; musl and macOS have none
    if trim is not None:
        trim(0)


class Unloader:
    """Lets models go, logs what that freed, and counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def let_go(self, models: dict[str, object]) -> None:
        """Drop the last references to models, by name, which empties the mapping.

        What others allocate at the same time is in what is logged as freed: it may be below zero.
        """
        names = tuple(models)
        gc.collect()  # what was garbage before is not the models' doing
        before = memory_held()
        models.clear()
        give_back()
        after = memory_held()
        log.info(
            "unloaded %s: %s MB of memory freed, %s MB of the GPU's",
            ", ".join(names),
            _freed_mb(before.rss_bytes, after.rss_bytes),
            _freed_mb(before.vram_bytes, after.vram_bytes),
            extra={
                "models": names,
                "freed_rss_mb": _freed_mb(before.rss_bytes, after.rss_bytes),
                "freed_vram_mb": _freed_mb(before.vram_bytes, after.vram_bytes),
            },
        )
        with self._lock:
            self._counts.update(names)

    def counts(self) -> dict[str, int]:
        """How often each model was unloaded, by name."""
        with self._lock:
            return dict(self._counts)


def _freed_mb(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else round((before - after) / 1e6)
