"""Unload, now and then, the models that nobody has used for a while."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class IdleSweep:
    """A thread that looks for idle models until it is stopped or the process ends.

    Args:
        evict: unloads what is idle, and returns the names.
        interval_seconds: between two looks.
    """

    def __init__(self, evict: Callable[[], tuple[str, ...]], *, interval_seconds: float) -> None:
        self._evict = evict
        self._interval_seconds = interval_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="idle-models", daemon=True)

    def start(self) -> None:
        """Begin; the first look is after one interval."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._interval_seconds):
            try:
                self._evict()
            except Exception:  # a driver's complaint must not end the sweep for good
                log.exception("idle models could not be unloaded")
