"""Refuse addresses that this service must not call, as far as that needs no look-up of a name."""

import re
from ipaddress import ip_address

from api.settings import ApiSettings
from jobs.addresses import is_allowed, parse_target
from jobs.request_errors import InvalidOptions, WebhookBlocked

_WITH_USER = re.compile(r"\w+://[^/?#]*@")


def may_be_called(url: str, settings: ApiSettings) -> bool:
    """Whether an address may be called, or has a name: who calls it checks what that stands for.

    Raises:
        ValueError: it cannot be read; with a message for the client.
    """
    host = parse_target(url).host
    try:
        address = ip_address(host)
    except ValueError:
        return True
    return is_allowed(address, allow_private_addresses=settings.allow_private_addresses)


def check_webhook_url(url: str, settings: ApiSettings, *, pointer: str) -> None:
    """Refuse an address that no courier would call.

    Args:
        url: what the client gave.
        settings: say whether private addresses may be called.
        pointer: where it stands in the request, as in RFC 6901.

    Raises:
        InvalidOptions: it cannot be read, or holds a password.
        WebhookBlocked: it is a private address, by its number.
    """
    try:
        if _WITH_USER.match(url):
            msg = "the address holds a user or password: leave them out, and check the signature"
            raise ValueError(msg)
        is_good = may_be_called(url, settings)
    except ValueError as error:
        fault = (pointer, "invalid_address", str(error))
        raise InvalidOptions(f"{pointer.lstrip('/')}: {error}", problems=(fault,)) from error
    if not is_good:
        msg = (
            f"{pointer.lstrip('/')}: this address is not called for clients; give a public one. "
            "Private ones need ALLOW_PRIVATE_ADDRESSES=true, which the operator sets"
        )
        raise WebhookBlocked(msg)
