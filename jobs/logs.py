"""Write log lines that say which job they are about, and no line over and over."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

REPEAT_SECONDS = 30.0  # a warning that stays the same is written this often
_MOST_KNOWN = 1000  # different warnings, before those of long ago are forgotten
_SHOWN = ("job_id", "delivery_id", "request_id")
_SUBJECTS = ("job_id", "delivery_id")  # a line about another one is another line


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = [f"{name}={getattr(record, name)}" for name in _SHOWN if hasattr(record, name)]
        text = super().format(record)
        if not facts:
            return text
        # On the first line, where grep finds it, not behind a traceback.
        first, newline, rest = text.partition("\n")
        return f"{first} {' '.join(facts)}{newline}{rest}"


@dataclass(slots=True, kw_only=True)
class _Written:
    """When a warning was written, and how often it was passed over since."""

    at: float
    passed_over: int = 0


class Repeats(logging.Filter):
    """Passes over a warning that was written a moment ago.

    While a store is away everybody who needs it says so, every few seconds, for as long as it
    takes. Exceptions are never passed over: their words may be the same and their causes not.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._written: dict[tuple[object, ...], _Written] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be written; it then says how many were not."""
        if record.levelno < logging.WARNING or record.exc_info:
            return True
        text = record.getMessage()
        key = (record.name, text, *(getattr(record, name, None) for name in _SUBJECTS))
        now = self._clock()
        with self._lock:
            known = self._written.get(key)
            if known is not None and now - known.at < REPEAT_SECONDS:
                known.passed_over += 1
                return False
            if len(self._written) >= _MOST_KNOWN:
                self._forget(now)
            self._written[key] = _Written(at=now)
        if known is not None and known.passed_over:
            record.msg, record.args = f"{text} (and {known.passed_over} times before)", ()
        return True

    def _forget(self, now: float) -> None:
        lately = {key: one for key, one in self._written.items() if now - one.at < REPEAT_SECONDS}
        self._written = lately if len(lately) < _MOST_KNOWN else {}


def configure_logging() -> None:
    """Send the log of this process to standard error, one line an event."""
    handler = logging.StreamHandler()
    handler.addFilter(Repeats())
    handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
