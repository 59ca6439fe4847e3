"""Know which addresses an owner wants to be told at.

    whisperline:webhooks:<owner>    hash     endpoint id to Endpoint as JSON; that there is any
                                             makes events be written down (jobs/outbox.py)

The record in Redis is the truth; the ledger has a copy of what the owner set up.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import redis

from jobs.endpoint import Endpoint
from jobs.errors import Unavailable
from jobs.outbox import endpoints_key
from jobs.redis_client import Pipe, redis_errors
from jobs.request_errors import EndpointNotFound, TooManyEndpoints
from jobs.webhook_files import WebhookFiles

MOST_ENDPOINTS = 20  # of one owner: each event goes to each of them
# What changes with each delivery; the ledger does without it.
_PASSING = {"failing_since", "next_trial_at"}

log = logging.getLogger(__name__)


class Endpoints:
    """The endpoints of all owners.

    Args:
        client: of the Redis.
        files: where the ledger is.
    """

    def __init__(self, client: "redis.Redis", files: WebhookFiles) -> None:
        self._redis = client
        self._files = files

    def add(self, endpoint: Endpoint) -> None:
        """Tell a new endpoint of what happens from now on.

        Raises:
            TooManyEndpoints: its owner has MOST_ENDPOINTS others; nothing is kept.
        """
        key = endpoints_key(endpoint.owner)

        def written(pipe: Pipe) -> None:
            # After WATCH, redis-py sends reads at once, whatever its types say.
            _must_have_room(pipe.hlen(key))
            pipe.multi()
            pipe.hset(key, endpoint.id, endpoint.model_dump_json())

        with redis_errors():
            _must_have_room(self._redis.hlen(key))
        self._files.write(endpoint.owner, endpoint.id, endpoint)
        try:
            with redis_errors():
                self._redis.transaction(written, key)
        except BaseException:
            with suppress(Unavailable):
                self._files.delete(endpoint.owner, endpoint.id)
            raise

    def get(self, owner: str, endpoint_id: str) -> Endpoint:
        """Return an owner's endpoint.

        Raises:
            EndpointNotFound: there is none of this id, or it is somebody else's.
        """
        found = self._find(owner, endpoint_id)
        if found is None:
            raise _unknown(endpoint_id)
        return found

    def of(self, owner: str) -> list[Endpoint]:
        """Return all endpoints of an owner, the oldest first."""
        with redis_errors():
            found = cast("list[str]", self._redis.hvals(endpoints_key(owner)))
        return sorted(map(Endpoint.model_validate_json, found), key=lambda endpoint: endpoint.id)

    def update(
        self, owner: str, endpoint_id: str, change: Callable[[Endpoint], Endpoint]
    ) -> Endpoint:
        """Apply a change and return the endpoint after it; of two at once, one sees the other's.

        Args:
            owner: whose it is.
            endpoint_id: which.
            change: may be called several times; where it changes nothing, nothing is written.

        Raises:
            EndpointNotFound: there is none of this id, or it is somebody else's.
            Whatever `change` raises: nothing was written.
        """
        found = self.get(owner, endpoint_id)
        if change(found) == found:  # as most deliveries go: it was well, and is well
            return found
        was, now = self._changed(owner, endpoint_id, change)
        if was.model_dump(exclude=_PASSING) != now.model_dump(exclude=_PASSING):
            self._bring_up_to_date(owner, endpoint_id)
        return now

    def remove(self, owner: str, endpoint_id: str) -> None:
        """Tell an endpoint nothing any more.

        Raises:
            EndpointNotFound: there is none of this id, or it is somebody else's.
        """
        self.get(owner, endpoint_id)
        # The ledger first: if storage is away, the endpoint is still there to be removed again.
        self._files.delete(owner, endpoint_id)
        with redis_errors():
            self._redis.hdel(endpoints_key(owner), endpoint_id)
        self._bring_up_to_date(owner, endpoint_id)  # an update may have written it once more

    def restore_all(self) -> int:
        """Bring back what the ledger has and Redis forgot, and return how many that were.

        Raises:
            Unavailable: Redis or storage is away; some are back.
        """
        return sum(
            self._restore(owner, name)
            for owner, name in self._files.names()
            if name.startswith("whk_") and self._find(owner, name) is None
        )

    def _restore(self, owner: str, endpoint_id: str) -> bool:
        written_down = self._files.read(owner, endpoint_id)
        if written_down is None:
            return False
        with redis_errors():
            is_new = self._redis.hsetnx(endpoints_key(owner), endpoint_id, written_down.decode())
            # Its owner may have removed it since it was read: the ledger's entry goes first.
            if is_new and self._files.read(owner, endpoint_id) is None:
                self._redis.hdel(endpoints_key(owner), endpoint_id)
                return False
        return bool(is_new)

    def _changed(
        self, owner: str, endpoint_id: str, change: Callable[[Endpoint], Endpoint]
    ) -> tuple[Endpoint, Endpoint]:
        """Write what `change` makes of a record; decide again if another process wrote first."""
        key = endpoints_key(owner)

        def changed(pipe: Pipe) -> tuple[Endpoint, Endpoint]:
            was = _read(pipe.hget(key, endpoint_id))
            if was is None:
                raise _unknown(endpoint_id)
            now = change(was)
            pipe.multi()
            pipe.hset(key, endpoint_id, now.model_dump_json())
            return was, now

        with redis_errors():
            done = self._redis.transaction(
                changed,  # type: ignore[arg-type]  # typed as if it could return nothing
                key,
                value_from_callable=True,
            )
        return cast("tuple[Endpoint, Endpoint]", done)

    def _bring_up_to_date(self, owner: str, endpoint_id: str) -> None:
        """Make the ledger say what the record says, also when others do the same meanwhile.

        The record already holds; where this fails, only a lost Redis would bring back the old one.
        """
        try:
            while True:
                found = self._find(owner, endpoint_id)
                if found is None:
                    self._files.delete(owner, endpoint_id)
                else:
                    self._files.write(owner, endpoint_id, found)
                if self._find(owner, endpoint_id) == found:
                    return
        except Unavailable as error:
            log.warning("ledger not written: %s", error, extra={"endpoint_id": endpoint_id})

    def _find(self, owner: str, endpoint_id: str) -> Endpoint | None:
        with redis_errors():
            return _read(self._redis.hget(endpoints_key(owner), endpoint_id))


def _read(found: object) -> Endpoint | None:
    return Endpoint.model_validate_json(found) if isinstance(found, str) else None


def _must_have_room(count: int) -> None:
    if count >= MOST_ENDPOINTS:
        msg = f"you have {MOST_ENDPOINTS} webhooks already; change or delete one of them"
        raise TooManyEndpoints(msg)


def _unknown(endpoint_id: str) -> EndpointNotFound:
    return EndpointNotFound(f"there is no webhook {endpoint_id}")
