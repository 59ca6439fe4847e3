"""Let in whose key is known, and say who that is."""

import ipaddress
import logging
from urllib.parse import urlsplit

from flask import Flask, Request, g, request
from werkzeug.datastructures import Authorization

from api.key_ring import ANONYMOUS
from api.restoring import restorer
from api.services import services
from jobs.job import Job
from jobs.request_errors import JobNotFound, JobPurged, NotAllowed, NotAuthenticated

# What tells nothing of anybody's jobs: for health checks, and to look up how to get in.
PUBLIC = frozenset({"/", "/health", "/ready", "/openapi.json", "/docs"})
_PUBLIC_FOLDERS = ("/docs/",)
_FORWARDED = (
    *("Forwarded", "Via", "X-Real-IP", "CF-Connecting-IP"),
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
)

log = logging.getLogger(__name__)


def register(app: Flask) -> None:
    """Make the app ask who is there, before anything is read of the body."""

    @app.before_request
    def admit() -> None:
        if request.endpoint is None or is_public(request.path):
            return
        keys = services().keys
        if keys.is_open():
            # Clients that must send some key, such as OpenAI's, are let in with any.
            if not services().settings.allow_anonymous and not _is_local(request):
                msg = (
                    "this service has no API keys and serves only its own machine: make a key "
                    "with `python -m api keys create NAME`, or set ALLOW_ANONYMOUS=true"
                )
                raise NotAllowed(msg)
            g.owner = ANONYMOUS
            return
        owner = None
        if (key := _key_in(request)) is not None:
            owner = keys.owner_of(key)
        if owner is None:
            msg = (
                "send a key of this service: `Authorization: Bearer <key>`, `X-API-Key: <key>`, "
                "or as the password of HTTP Basic"
            )
            raise NotAuthenticated(msg)
        g.owner = owner


def is_public(path: str) -> bool:
    """Whether a path is open to all."""
    return (path.rstrip("/") or "/") in PUBLIC or path.startswith(_PUBLIC_FOLDERS)


def owner() -> str:
    """Return whose request this is."""
    found: str = g.owner
    return found


def own_job(job_id: str) -> Job:
    """Return the job of this id, or of the id that its owner gave it.

    Raises:
        JobNotFound: there is none, or it is somebody else's: the answer is the same.
        JobPurged: it was deleted.
        StoreUnavailable: Redis was emptied, and it is not known yet whether there is such a job.
    """
    found = services()
    lost = restorer(found)  # what Redis has lost is brought back here
    named = found.reservations.job_named(owner(), job_id) or lost.job_named(owner(), job_id)
    known = named or job_id
    try:
        job = lost.get(known)
    except JobPurged:
        if found.store.owner_of_purged(known) == owner():
            raise
        raise _unknown(job_id) from None
    if job.owner != owner():
        raise _unknown(job_id)
    return job


def _unknown(job_id: str) -> JobNotFound:
    return JobNotFound(f"there is no job {job_id}")


def _key_in(request: Request) -> str | None:
    if key := request.headers.get("X-API-Key"):
        return key
    sent: Authorization | None = request.authorization
    if sent is None:
        return None
    return sent.token if sent.type == "bearer" else sent.password


def _is_local(request: Request) -> bool:
    """Whether a request comes from a program on this machine that means this service.

    A proxy on this machine speaks for others, and so does a browser that a foreign page sends here
    (by a name that it made resolve to 127.0.0.1, or by a form).
    """
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        address = None  # a Unix socket: whoever may open it
    if address is not None and not address.is_loopback:
        return False
    if any(name in request.headers for name in _FORWARDED):
        return False
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return False
    origin = urlsplit(request.headers.get("Origin", "")).hostname
    if origin is not None and not _is_local_name(origin):
        return False
    sent = request.headers.get("Host", "")
    host = sent.rpartition(":")[0] if _has_port(sent) else sent
    return _is_local_name(host.strip("[]").lower())


def _has_port(host: str) -> bool:
    return ":" in host and not host.endswith("]")


def _is_local_name(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
