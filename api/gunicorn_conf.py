"""How gunicorn serves the API; the numbers are in `api/settings.py`."""

from api.settings import ApiSettings
from jobs.settings import load_settings

_settings = load_settings(ApiSettings)

worker_class = "gthread"  # an upload or a waiting client holds a thread, not the process
workers = _settings.api_processes
threads = _settings.api_threads
keepalive = 5  # seconds
graceful_timeout = 30  # seconds for uploads under way when told to stop
accesslog = "-"
access_log_format = "%(t)s %(m)s %(U)s %(s)s %(B)s bytes %(M)s ms"  # no query, no headers
control_socket_disable = True  # one path per user: two instances would take each other's
