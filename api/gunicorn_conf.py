"""How gunicorn serves the API; the numbers are in `api/settings.py`."""

from typing import Any
from urllib.parse import quote

from gunicorn.glogging import Logger

from api.settings import ApiSettings
from jobs.settings import load_settings

_settings = load_settings(ApiSettings)


class _Lines(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Keeps a path on its line: what a client sends may hold line breaks and escape codes."""

    def atoms(self, *request: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().atoms(*request)
        return found | {"U": quote(found["U"] or "")}


logger_class = _Lines

worker_class = "gthread"  # an upload or a waiting client holds a thread, not the process
workers = _settings.api_processes
threads = _settings.api_threads
keepalive = 5  # seconds
graceful_timeout = 30  # seconds for uploads under way when told to stop
accesslog = "-"
access_log_format = "%(t)s %(m)s %(U)s %(s)s %(B)s bytes %(M)s ms"  # no query, no headers
control_socket_disable = True  # one path per user: two instances would take each other's
