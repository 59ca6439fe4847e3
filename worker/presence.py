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
        is_listed = False
        while True:
            try:
                said = status()
                before = registry.report(said)
                # The first time it may be what a killed process left.
                if is_listed and before is not None and before.process != said.process:
                    log.error(
                        "there are two workers %s: give one of them a WORKER_NAME of its own, "
                        "as Celery and /v1/workers take them for one",
                        said.name,
                    )
                is_listed = True
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
