"""Make one HTTP request, and tell apart a refusal, a "later" and silence."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from typing import Any

import httpx

from client.errors import Misuse, NoConnection, ServiceBusy, ServiceRefused, ServiceUnreachable

# Statuses after which the same request may do better; 409 only with the code below.
_LATER = frozenset({408, 425, 429, 502, 503, 504})
_IN_PROGRESS = "submission_in_progress"
_DETAIL_CHARACTERS = 500  # of an error that is not ours: a proxy's page


def own_version() -> str:
    """Return the version that is installed; "0" in a checkout that is not."""
    try:
        return version("whisperline")
    except PackageNotFoundError:
        return "0"


class Exchange:
    """The connections to one service."""

    def __init__(self, url: str, *, api_key: str | None) -> None:
        """Prepare to speak; nothing is sent yet.

        Raises:
            Misuse: the address or the key cannot be one.
        """
        self._url = _checked(url)
        self.is_loopback = _is_loopback(self._url.host)
        self.has_password = bool(self._url.password)
        # Whether nobody on the way can read what is sent.
        self.is_private = self.is_loopback or self._url.scheme == "https"
        # The address may hold a password, and goes to screens and logs.
        self.shown_url = str(self._url.copy_with(username=None, password=None)).rstrip("/")
        headers = {"User-Agent": f"whisperline/{own_version()}"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self._http = httpx.Client(
            base_url=self._url,
            headers=headers,
            # Seconds. A slow uplink is no error; an answer may be held for 60 s by `wait`, and an
            # upload is put together in storage after its last byte. Threads share connections.
            timeout=httpx.Timeout(10.0, read=120.0, write=300.0, pool=None),
            # Seconds; less than the service keeps an idle connection (5), else a request now and
            # then meets one that is just being closed.
            limits=httpx.Limits(keepalive_expiry=3.0),
            # A proxy of the environment is not asked for what is on this very machine.
            trust_env=not self.is_loopback,
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Return the answer.

        Raises:
            ServiceRefused: it is an error.
            ServiceBusy: the service asks to come back later.
            ServiceUnreachable: there is none.
        """
        try:
            answer = self._http.request(method, path, **request)
        except httpx.LocalProtocolError as error:  # not what its head said: see `sending.py`
            raise ServiceRefused(400, "changed_media", _CHANGED) from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise NoConnection(self._silence(error)) from error
        except httpx.RequestError as error:
            raise ServiceUnreachable(self._silence(error)) from error
        if not answer.is_success:
            raise _error_of(answer)
        return answer

    def _silence(self, error: httpx.RequestError) -> str:
        return f"no answer from {self.shown_url} ({str(error) or type(error).__name__})"


_CHANGED = "the file changed while it was being sent"


def _error_of(answer: httpx.Response) -> ServiceRefused | ServiceBusy:
    code, detail = _reason(answer)
    if answer.status_code in _LATER or code == _IN_PROGRESS:
        return ServiceBusy(
            f"{answer.status_code}: {detail}", code=code, retry_after_seconds=_retry_after(answer)
        )
    return ServiceRefused(answer.status_code, code, detail)


def _reason(answer: httpx.Response) -> tuple[str, str]:
    """Return the code and the words of an error."""
    if answer.is_redirect:
        return "redirect", f"it sends us on to {answer.headers.get('location')}; is that the --url?"
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "detail" not in problem:
        return "", f"{answer.reason_phrase} (no answer of a Whisperline service)"
    return str(problem.get("code", "")), str(problem["detail"])[:_DETAIL_CHARACTERS]


def _retry_after(answer: httpx.Response) -> float | None:
    """Return the seconds of Retry-After, which may also be a date (RFC 9110, 10.2.3)."""
    text = answer.headers.get("retry-after", "")
    if text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _checked(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
        url.raw_host.decode("ascii").encode("idna")  # else looking it up would end in a traceback
    except (httpx.InvalidURL, UnicodeError) as error:
        msg = f"{text!r} is no address: {error}"
        raise Misuse(msg) from error
    if url.scheme not in ("http", "https") or not url.host:
        msg = f"{text!r} is no address of a service: write it as http://host:9000"
        raise Misuse(msg)
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
