"""How gunicorn serves the API; the numbers are in `api/settings.py`."""

import resource
from typing import Any
from urllib.parse import quote

from gunicorn.glogging import Logger

from api.server import IDLE_CONNECTIONS, LINE_BYTES, HttpServer
from api.settings import ApiSettings
from jobs.settings import load_settings

_settings = load_settings(ApiSettings)

# A waiting client holds some descriptors: its connection, Redis, storage. The usual limit of 1,024
# is for programs that call select(2), which none of ours does.
_, _most_descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_most_descriptors, _most_descriptors))


class _Lines(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Keeps a path on its line: what a client sends may hold line breaks and escape codes."""

    def atoms(self, *request: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().atoms(*request)
        return found | {"U": quote(found["U"] or "")}


class _Server(HttpServer):
    upload_stall_seconds = _settings.upload_stall_seconds


logger_class = _Lines

worker_class = _Server
workers = _settings.api_processes
threads = _settings.api_threads  # an upload or a waiting client holds one, not the process
worker_connections = threads + IDLE_CONNECTIONS
keepalive = 5  # seconds
graceful_timeout = 30  # seconds for uploads under way when told to stop
limit_request_line = LINE_BYTES
limit_request_fields = 100
sendfile = False  # what bypasses the connection's socket has no time limit
accesslog = "-"
# No query and no request headers, which may hold keys; the last is the request's id.
access_log_format = "%(t)s %(m)s %(U)s %(s)s %(B)s bytes %(M)s ms %({x-request-id}o)s"
control_socket_disable = True  # one path per user: two instances would take each other's
