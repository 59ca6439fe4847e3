"""`/v1/keys`: make, list and revoke API keys without a shell where the service runs."""

import logging
from http import HTTPStatus
from typing import Annotated, Any, Literal

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from api.access import owner
from api.answers import answer_json
from api.json_bodies import read_model
from api.problems import problem
from api.request_bodies import json_body
from api.request_model import RequestModel
from api.services import services
from api.settings import OWNER_NAME
from jobs.key_files import KeyHash, hash_of
from jobs.request_errors import NotAllowed

MOST_KEYS = 1000  # of all owners: every request is compared with each of them
FIRST_KEY_NOTICE = (
    "this is the first key, and it closed the door: within 5 seconds every request needs a key. "
    "The door is opened again by `python -m api keys revoke NAME` and `python -m api keys reopen` "
    "only"
)
_NOT_ADMIN = (
    "only owners that the setting ADMIN_OWNERS names manage keys over HTTP; where the service "
    "runs, `python -m api keys` does the same on the command line"
)
_OPEN_TO_ALL = (
    "with ALLOW_ANONYMOUS=true everybody is let in and nobody manages keys over HTTP: make the "
    "first key with `python -m api keys create NAME`, and set ADMIN_OWNERS=NAME"
)
_NO_KEY_YET = (
    "this service has no keys, so it knows nobody of ADMIN_OWNERS: make the first key with `POST "
    "/v1/keys` from its own machine, sending none, or with `python -m api keys create NAME`"
)

log = logging.getLogger(__name__)

keys = APIBlueprint("keys", __name__, url_prefix="/v1/keys", abp_tags=[Tag(name="keys")])

_Name = Annotated[str, StringConstraints(pattern=f"^{OWNER_NAME}$")]


class KeyRequest(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(extra="forbid")

    name: _Name = Field(description="whose it is; a second one of the same name is for rotation")


class KeyPath(RequestModel):
    """Whose keys."""

    name: _Name


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class KeyView(_View):
    """What is known of a key; the key itself is kept nowhere."""

    name: str
    sha256: str
    created_at: AwareDatetime | None = Field(description="null: of the settings")
    source: Literal["settings", "storage"] = Field(description="`settings`: it is in API_KEYS")


class KeysView(_View):
    """Every key, by name and age."""

    data: tuple[KeyView, ...]


class MadeKeyView(_View):
    """A new key; this answer is the only place where it is to be seen."""

    name: str
    key: str
    sha256: str


class FirstKeyView(MadeKeyView):
    """The first key of a service that was open until now."""

    notice: str


def _refusal(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }


_BODY: dict[str, Any] = {"required": True, "content": json_body(KeyRequest)}
_FORBIDDEN: Any = {403: _refusal("you are not in ADMIN_OWNERS, or the service has no keys")}


@keys.get("", summary="List the keys", responses={200: KeysView, **_FORBIDDEN})
def index() -> Response:
    """Answer whose keys there are, by their hashes."""
    known = _keys_for_admin()
    ordered = sorted(known, key=lambda key: (key.owner, str(key.created_at or ""), key.sha256))
    return answer_json(KeysView(data=tuple(_shown(key) for key in ordered)))


@keys.post(
    "",
    summary="Make a key",
    responses={201: MadeKeyView, **_FORBIDDEN},
    openapi_extensions={"requestBody": _BODY},
)
def create() -> Response:
    """Make a key and show it this once; it works within 5 seconds.

    A service without keys lets programs on its own machine make the first one, if they send none.
    That closes the door to everybody without a key, and `notice` says so.
    """
    is_first = _may_make_first()
    known = [] if is_first else _keys_for_admin()
    name = read_model(request, KeyRequest).name
    if len(known) >= MOST_KEYS:
        msg = f"there are {MOST_KEYS} keys, as many as this service keeps; revoke some first"
        return problem(HTTPStatus.CONFLICT, "too_many_keys", msg)
    key = services().keys.make(name)
    log.info("a key of %s was made by %s", name, owner())
    made = MadeKeyView(name=name, key=key, sha256=hash_of(key))
    if is_first:
        made = FirstKeyView(**made.model_dump(), notice=FIRST_KEY_NOTICE)
    answer = answer_json(made, status=HTTPStatus.CREATED)
    answer.headers["Cache-Control"] = "no-store"  # whoever has the key is its owner
    return answer


@keys.delete(
    "/<name>",
    summary="Revoke the keys of a name",
    responses={
        204: None,
        409: _refusal("they are in the settings, or you would be left without a key"),
        **_FORBIDDEN,
    },
)
def revoke(path: KeyPath) -> Response:
    """Revoke every stored key of a name, within 5 seconds; its jobs stay.

    409: all of them are in the settings, or you would be left without a key.
    """
    known = _keys_for_admin()
    named = [key for key in known if key.owner == path.name]
    stored = [key for key in named if _source(key) == "storage"]
    if (refused := _why_not_revoked(path.name, named, stored)) is not None:
        return refused
    services().keys.revoke(stored)
    log.info("the keys of %s were revoked by %s", path.name, owner())
    return Response(status=HTTPStatus.NO_CONTENT)


def _may_make_first() -> bool:
    """Whether this is a program on a service's own machine, and the service has no key.

    An open service that does not serve everybody has let in nobody else. A request with a key
    means a service that has some: one that comes here by mistake must not close the door.
    """
    ring = services().keys
    if services().settings.allow_anonymous or not ring.is_open():
        return False
    if any(name in request.headers for name in ("Authorization", "X-API-Key")):
        return False
    ring.look_again()  # another process may have made it in the last seconds
    return ring.is_open()


def _keys_for_admin() -> list[KeyHash]:
    """Return every key, to an owner whom the settings name and who still has one.

    Raises:
        NotAllowed: to everybody else; says who may, and how else.
    """
    settings, ring = services().settings, services().keys
    if owner() in settings.admin_owners:  # the others do not make us read storage
        known = ring.look_again()
        # A key that was revoked a second ago is still let in, but must not make its successor.
        if any(key.owner == owner() for key in known):
            return known
    if not ring.is_open():
        raise NotAllowed(_NOT_ADMIN)
    raise NotAllowed(_OPEN_TO_ALL if settings.allow_anonymous else _NO_KEY_YET)


def _why_not_revoked(name: str, named: list[KeyHash], stored: list[KeyHash]) -> Response | None:
    if not named:
        msg = f"there is no key of {name}; GET /v1/keys lists them"
        return problem(HTTPStatus.NOT_FOUND, "key_not_found", msg)
    if not stored:
        msg = f"the keys of {name} are in the setting API_KEYS: take them out there, and restart"
        return problem(HTTPStatus.CONFLICT, "key_in_settings", msg)
    if name == owner() and len(stored) == len(named):
        msg = (
            "this would revoke the last of your own keys and lock you out: let another owner of "
            "ADMIN_OWNERS do it, or `python -m api keys revoke`"
        )
        return problem(HTTPStatus.CONFLICT, "own_last_key", msg)
    return None


def _shown(key: KeyHash) -> KeyView:
    return KeyView(
        name=key.owner, sha256=key.sha256, created_at=key.created_at, source=_source(key)
    )


def _source(key: KeyHash) -> Literal["settings", "storage"]:
    return "settings" if key.created_at is None else "storage"
