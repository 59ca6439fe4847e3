"""Write log lines that say which job they are about."""

import logging

_SHOWN = ("job_id", "delivery_id", "request_id")


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = [f"{name}={getattr(record, name)}" for name in _SHOWN if hasattr(record, name)]
        text = super().format(record)
        if not facts:
            return text
        # On the first line, where grep finds it, not behind a traceback.
        first, newline, rest = text.partition("\n")
        return f"{first} {' '.join(facts)}{newline}{rest}"


def configure_logging() -> None:
    """Send the log of this process to standard error, one line an event."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
