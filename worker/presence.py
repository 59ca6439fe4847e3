"""Tell the registry every few seconds that this worker is alive, and what it does."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from jobs.errors import Unavailable
from jobs.workers import WorkerRegistry, WorkerStatus

REPORT_SECONDS = 5.0

log = logging.getLogger(__name__)


@contextmanager
def present(registry: WorkerRegistry, status: Callable[[], WorkerStatus]) -> Iterator[None]:
    """Be listed among the living workers while the block runs."""
    stop = threading.Event()

    def report() -> None:
        while True:
            try:
                registry.report(status())
            except Unavailable as error:
                log.warning("not listed: %s", error)
            if stop.wait(REPORT_SECONDS):
                return

    thread = threading.Thread(target=report, name="presence", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        with suppress(Unavailable):  # then the entry runs out by itself
            registry.leave(status().name)
