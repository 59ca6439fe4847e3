"""Tell a refusal of one item from a refusal of everything that would come after it."""

from http import HTTPStatus

from client.errors import ServiceRefused

_BY_OPTIONS = frozenset({"invalid_options", "unknown_model"})
# Of these, a proxy's own page may be the answer to one large upload.
_OF_ONE_ITEM = frozenset({HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.INTERNAL_SERVER_ERROR})


def holds_for_all(error: ServiceRefused, *, has_own_options: bool = False) -> bool:
    """Whether other media, sent with the same options, would be refused as well."""
    if error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return True
    if error.code in _BY_OPTIONS:
        return not has_own_options
    # No code: whoever answers there is no Whisperline.
    return not error.code and error.status not in _OF_ONE_ITEM
