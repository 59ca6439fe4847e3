"""Call the addresses that clients name: fetch media, deliver webhooks.

This is the one door out. It takes no proxy from the environment, follows redirects only for a
fetch and checks each anew, asks for nothing compressed, and ends everything in time.
"""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import urljoin

import httpcore

from jobs.addresses import Target, parse_target
from jobs.connections import GuardedBackend, Resolver, Watch, look_up
from jobs.errors import FetchBlocked, FetchFailed, SourceUnavailable
from jobs.fetched import Fetched, Progress, Receiver, headers_of
from jobs.request_headers import check_headers

USER_AGENT = "whisperline"
MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an address said to a request."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes  # its beginning, as sent: neither unpacked nor decoded


class Outgoing:
    """Requests to addresses that somebody else chose. Safe to share between threads.

    Args:
        allow_private_addresses: also call what is not on the public internet (metadata services
            excepted); for networks where every client is trusted.
        resolve: looks a name up; asked once for each connection.
        backend: makes the connections, given addresses that were checked.
        ssl_context: whom to trust; None means the certificates of certifi and the system.
    """

    def __init__(
        self,
        *,
        allow_private_addresses: bool,
        resolve: Resolver = look_up,
        backend: httpcore.NetworkBackend | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._allow_private_addresses = allow_private_addresses
        self._resolve = resolve
        self._backend = backend or httpcore.SyncBackend()
        self._ssl_context = ssl_context or httpcore.default_ssl_context()  # 55 ms, so only once

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes,
        *,
        timeout_seconds: float,
        max_answer_bytes: int,
    ) -> Answer:
        """Send one request and return the answer, whatever its status; follow no redirect.

        The status is what counts: a body that stalls or breaks off is returned as far as it came,
        and after `max_answer_bytes` of it the connection is closed.

        Raises:
            FetchBlocked: the address is one that must not be called.
            FetchFailed: there is no such host, or its certificate is not valid.
            SourceUnavailable: no answer came in time.
            ValueError: `check_headers` refuses the headers.
        """
        check_headers(headers)
        watch = _watch(timeout_seconds, _carry_on)
        with self._answered(method, _parsed(url), headers, content, watch) as response:
            return Answer(
                status=response.status,
                headers=headers_of(response),
                body=_beginning(response, max_answer_bytes),
            )

    def fetch(
        self,
        url: str,
        headers: Mapping[str, str],
        target: BinaryIO,
        *,
        max_bytes: int,
        timeout_seconds: float,
        on_progress: Progress,
    ) -> Fetched:
        """Write the media at an address to `target`, following at most MAX_REDIRECTS.

        Args:
            url: http or https; each redirect is checked as this one is.
            headers: sent until a redirect leaves the scheme, host or port they were meant for.
            target: holds an unusable beginning if an error is raised.
            max_bytes: of media; `target` never gets more.
            timeout_seconds: for all of it, from the first look-up to the last byte.
            on_progress: told the bytes so far and in all, at least every second but for single
                connection attempts; what it raises ends the fetch and is passed on.

        Raises:
            FetchBlocked: the address, or one it redirects to, is one that must not be called.
            FetchFailed: there is no such media for us; trying again is of no use.
            FetchedTooLarge: there are more than `max_bytes`.
            SourceUnavailable: there is no answer, or not all of it, at the moment.
            ValueError: `check_headers` refuses the headers.
        """
        check_headers(headers)
        receiver = Receiver(target=target, max_bytes=max_bytes, on_progress=on_progress)
        watch = _watch(timeout_seconds, receiver.report)
        hop = _parsed(url)
        for _ in range(1 + MAX_REDIRECTS):
            with self._answered("GET", hop, headers, None, watch) as response:
                if response.status not in REDIRECTS:
                    return receiver.receive(response, hop)
                following = _redirected(hop, headers_of(response).get("location"))
            if not following.has_origin_of(hop):
                headers = {}  # for good, even if a later redirect leads back
            hop = following
        msg = f"the address redirects more than {MAX_REDIRECTS} times"
        raise FetchFailed(msg)

    @contextmanager
    def _answered(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        content: bytes | None,
        watch: Watch,
    ) -> Iterator[httpcore.Response]:
        """Send a request on a connection of its own; hang up afterwards."""
        guard = GuardedBackend(
            self._backend,
            self._resolve,
            watch,
            allow_private_addresses=self._allow_private_addresses,
        )
        sent: list[tuple[str, str]] = [
            ("Host", target.authority),  # httpcore's own would lack the brackets of IPv6
            ("User-Agent", USER_AGENT),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
            *headers.items(),
        ]
        url = httpcore.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.resource
        )
        with (
            _network_errors(target.host),
            httpcore.ConnectionPool(self._ssl_context, network_backend=guard) as pool,
            pool.stream(method, url, headers=sent, content=content) as response,
        ):
            yield response


def _watch(timeout_seconds: float, while_waiting: Callable[[], None]) -> Watch:
    return Watch(time.monotonic() + timeout_seconds, while_waiting)


def _carry_on() -> None:
    """Nobody can call a webhook back."""


def _parsed(url: str) -> Target:
    try:
        return parse_target(url)
    except ValueError as error:
        raise FetchBlocked(str(error)) from None


def _redirected(hop: Target, location: str | None) -> Target:
    """Return where a redirect leads, checked as if a client had named it."""
    if not location:
        msg = f"{hop.host} redirects without saying where to"
        raise FetchFailed(msg)
    if not location.isprintable():  # urljoin would drop some of these characters silently
        msg = f"{hop.host} redirects to an address that cannot be read"
        raise FetchFailed(msg)
    try:
        following = parse_target(urljoin(hop.url, location))
    except ValueError as error:
        msg = f"{hop.host} redirects to an address that is refused: {error}"
        raise FetchBlocked(msg) from None
    if hop.scheme == "https" and following.scheme == "http":
        msg = f"{hop.host} redirects from https to http, which everybody on the way could read"
        raise FetchBlocked(msg)
    return following


def _beginning(response: httpcore.Response, max_bytes: int) -> bytes:
    body = bytearray()
    try:
        for chunk in response.iter_stream():
            body += chunk
            if len(body) >= max_bytes:
                break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.RemoteProtocolError):
        pass  # the status said what we need to know
    return bytes(body[:max_bytes])


@contextmanager
def _network_errors(host: str) -> Iterator[None]:
    """Raise our errors for what the network could not do."""
    try:
        yield
    except httpcore.TimeoutException as error:
        msg = f"{host} did not answer in time"
        raise SourceUnavailable(msg) from error
    except httpcore.ConnectError as error:
        msg = f"{host} does not take connections"
        raise SourceUnavailable(msg) from error
    except (httpcore.NetworkError, httpcore.RemoteProtocolError) as error:
        msg = f"{host} broke off, or does not answer as an HTTP server does"
        raise SourceUnavailable(msg) from error
