"""End a process whose jobs do not let go when they should."""

import logging
import os
import threading
import time
from collections.abc import Callable

from worker.drain import Drain

PATIENCE_SECONDS = 5.0  # for jobs to notice that they are to be handed back
_LOOK_SECONDS = 0.5

log = logging.getLogger(__name__)


def end_in_time(drain: Drain, hand_back: Callable[[], object]) -> None:
    """Watch a drain in the background; where it is overdue, hand all jobs back and end at once.

    What runs in native code cannot be stopped otherwise, and holds Celery's shutdown up for ever.
    """

    def watch() -> None:
        while drain.overdue_seconds() < PATIENCE_SECONDS:
            time.sleep(_LOOK_SECONDS)
        log.warning("the process does not end; what it has in work is handed back by force")
        try:
            hand_back()
        finally:
            os._exit(0)

    threading.Thread(target=watch, name="last-resort", daemon=True).start()
