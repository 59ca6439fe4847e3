"""Connect to addresses that were checked, and only until a deadline.

A name is looked up once for each connection, and the connection goes to the very address that
was checked: an answer that changes between two look-ups (DNS rebinding) has nothing to change.
TLS and `Host` still use the name, as httpcore takes them from the request.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from ipaddress import ip_address
from threading import Thread
from typing import Any

import httpcore

from jobs.addresses import IPAddress, is_allowed
from jobs.errors import FetchBlocked, FetchFailed, SourceUnavailable

CONNECT_SECONDS = 10.0  # for one address, and for one TLS handshake
SILENCE_SECONDS = 60.0  # without a byte; then the other side is taken for dead
TICK_SECONDS = 1.0  # how long a wait lasts before `while_waiting` is asked again
MAX_ADDRESSES = 4  # tried of one name, so that one request does not knock at a hundred doors
WRITE_BYTES = 16 * 1024  # between two looks at the deadline

Resolver = Callable[[str, int], Sequence[str]]  # host and port to IP addresses; raises gaierror

# The name does not exist, or has no address; every other fault of a look-up may pass.
_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY})


def look_up(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a name, in the order to try them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


@dataclass(frozen=True, slots=True)
class Watch:
    """How long an exchange may take, and what to ask while it waits."""

    ends_at: float  # time.monotonic(), seconds
    while_waiting: Callable[[], None]  # called at least every TICK_SECONDS; may raise to stop

    def left_seconds(self, *, at_most: float) -> float:
        """Say how long a single wait may be; 0 when the time is over."""
        return max(0.0, min(at_most, self.ends_at - time.monotonic()))


class WatchedStream(httpcore.NetworkStream):
    """A connection whose every wait is short and ends with the deadline.

    httpcore's own timeouts are per read, so a server that drips would never meet them.
    """

    def __init__(self, inner: httpcore.NetworkStream, watch: Watch) -> None:
        self._inner = inner
        self._watch = watch

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Wait for bytes, asking `while_waiting` before and every TICK_SECONDS."""
        silent_until = time.monotonic() + (SILENCE_SECONDS if timeout is None else timeout)
        while True:
            self._watch.while_waiting()
            left = self._watch.left_seconds(at_most=silent_until - time.monotonic())
            if left == 0:
                msg = "time is over"
                raise httpcore.ReadTimeout(msg)
            try:
                return self._inner.read(max_bytes, timeout=min(left, TICK_SECONDS))
            except httpcore.ReadTimeout:
                continue  # a tick; nothing was lost, neither of the socket nor of TLS

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send in pieces, as httpcore gives each piece the whole timeout anew."""
        for start in range(0, len(buffer), WRITE_BYTES):
            left = self._watch.left_seconds(at_most=SILENCE_SECONDS if timeout is None else timeout)
            if left == 0:
                msg = "time is over"
                raise httpcore.WriteTimeout(msg)
            self._inner.write(buffer[start : start + WRITE_BYTES], timeout=left)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Shake hands within CONNECT_SECONDS; Python's handshake bounds itself as a whole.

        Raises:
            FetchFailed: the certificate is not valid for this name, or not for us.
        """
        left = self._watch.left_seconds(at_most=CONNECT_SECONDS if timeout is None else timeout)
        if left == 0:
            self.close()  # as httpcore's own does when it fails; nobody else would
            msg = "time is over"
            raise httpcore.ConnectTimeout(msg)
        try:
            inner = self._inner.start_tls(ssl_context, server_hostname, timeout=left)
        except httpcore.ConnectError as error:  # its cause is lost on the way through the pool
            if not isinstance(error.__cause__, ssl.SSLCertVerificationError):
                raise
            msg = f"the certificate of {server_hostname} is not valid"
            raise FetchFailed(msg) from error
        return WatchedStream(inner, self._watch)

    def get_extra_info(self, info: str) -> Any:
        """What the connection itself says."""
        return self._inner.get_extra_info(info)

    def close(self) -> None:
        """Hang up."""
        self._inner.close()


class GuardedBackend(httpcore.NetworkBackend):
    """Connects where a client may send us, and nowhere else."""

    def __init__(
        self,
        inner: httpcore.NetworkBackend,
        resolve: Resolver,
        watch: Watch,
        *,
        allow_private_addresses: bool,
    ) -> None:
        self._inner = inner
        self._resolve = resolve
        self._watch = watch
        self._allow_private_addresses = allow_private_addresses

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Look the host up, check every address of it, connect to the first that answers.

        Raises:
            FetchBlocked: the host has an address that must not be called.
            FetchFailed: there is no such host.
            SourceUnavailable: the look-up did not work.
        """
        failure: Exception = httpcore.ConnectTimeout("time is over")
        for address in self._checked_addresses(host, port):
            left = self._watch.left_seconds(at_most=CONNECT_SECONDS if timeout is None else timeout)
            if left == 0:
                break
            self._watch.while_waiting()
            try:
                stream = self._inner.connect_tcp(
                    str(address),
                    port,
                    timeout=left,
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return WatchedStream(stream, self._watch)
        raise failure

    def _checked_addresses(self, host: str, port: int) -> list[IPAddress]:
        addresses = list(dict.fromkeys(self._addresses(host, port)))
        # All or nothing: an honest name is not public and private at once, while a mix is what a
        # rebinding attack looks like. The answer names no address: it would map our network.
        if not all(
            is_allowed(address, allow_private_addresses=self._allow_private_addresses)
            for address in addresses
        ):
            msg = (
                f"{host} is no public address: this service does not call private ones, "
                "unless its operator sets ALLOW_PRIVATE_ADDRESSES, and metadata services never"
            )
            raise FetchBlocked(msg)
        return addresses[:MAX_ADDRESSES]

    def _addresses(self, host: str, port: int) -> list[IPAddress]:
        try:
            return [ip_address(host)]
        except ValueError:  # a name
            answer = self._looked_up(host, port)
        try:
            found = [ip_address(address) for address in answer.result()]
        except socket.gaierror as error:
            if error.errno not in _NO_SUCH_NAME:
                msg = f"the name {host} could not be looked up"
                raise SourceUnavailable(msg) from error
            found = []
        except OSError as error:
            msg = f"the name {host} could not be looked up"
            raise SourceUnavailable(msg) from error
        if not found:
            msg = f"there is no host named {host}"
            raise FetchFailed(msg)
        return found

    def _looked_up(self, host: str, port: int) -> "Future[Sequence[str]]":
        """Look a name up on a thread of its own, as getaddrinfo knows no timeout."""
        answer: Future[Sequence[str]] = Future()
        Thread(target=_answer, args=(answer, self._resolve, host, port), daemon=True).start()
        while not answer.done():
            self._watch.while_waiting()
            left = self._watch.left_seconds(at_most=TICK_SECONDS)
            if left == 0:
                msg = f"the name {host} could not be looked up in time"
                raise SourceUnavailable(msg)
            wait_for([answer], timeout=left)
        return answer


def _answer(answer: "Future[Sequence[str]]", resolve: Resolver, host: str, port: int) -> None:
    try:
        answer.set_result(resolve(host, port))
    except BaseException as error:  # noqa: BLE001 - raised where the answer is awaited
        answer.set_exception(error)
