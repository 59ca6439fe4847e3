"""Know what an owner's own webhooks are signed with: those of jobs and of batches.

    whisperline:webhook_secret:<owner>          string   a WebhookSecret as JSON
    whisperline:webhook_secret_draft:<owner>    string   one that nobody signs with yet

It is made when it is first needed, and is in the ledger before anything is signed with it: a
secret that an emptied Redis takes with it would break every receiver.
"""

from datetime import UTC, datetime

import redis

from jobs.redis_client import Pipe, redis_errors
from jobs.webhook_files import WebhookFiles
from jobs.webhook_secret import WebhookSecret

_NAME = "secret"  # in the ledger
_DRAFT_SECONDS = 3600  # far longer than it takes to write it down


class OwnerSecrets:
    """The secrets of all owners.

    Args:
        client: of the Redis.
        files: where the ledger is.
    """

    def __init__(self, client: "redis.Redis", files: WebhookFiles) -> None:
        self._redis = client
        self._files = files

    def of(self, owner: str) -> WebhookSecret:
        """Return an owner's secret; all processes get the same one, from the first time on.

        Raises:
            StorageUnavailable: it is not in Redis, and storage is away.
        """
        found = self._find(_key(owner))
        return found if found is not None else self._restored(owner)

    def rotate(self, owner: str) -> WebhookSecret:
        """Give an owner a new secret, and return it.

        Raises:
            StorageUnavailable: storage is away; the old one stays.
        """
        key = _key(owner)
        self.of(owner)
        rotated: list[WebhookSecret] = []

        def written(pipe: Pipe) -> None:
            # After WATCH, redis-py sends reads at once, whatever its types say.
            was = _read(pipe.get(key)) or self._restored(owner)
            now = was.rotated(datetime.now(UTC))
            self._files.write(owner, _NAME, now)
            pipe.multi()
            pipe.set(key, now.model_dump_json())
            rotated[:] = [now]

        with redis_errors():
            self._redis.transaction(written, key)
        return rotated[0]

    def _restored(self, owner: str) -> WebhookSecret:
        """Put the secret of the ledger into Redis; a new one, if there is none."""
        key, written_down = _key(owner), self._files.read(owner, _NAME)
        if written_down is not None:
            secret = WebhookSecret.model_validate_json(written_down)
        else:
            secret = self._draft(owner)
            self._files.write(owner, _NAME, secret)
        return self._first(key, secret)

    def _draft(self, owner: str) -> WebhookSecret:
        """Return a new secret: the same one to all who ask before it is in use.

        Else two processes could each write down one of their own, and the one that is used would
        not be the one that stays written.
        """
        key = f"whisperline:webhook_secret_draft:{owner}"
        return self._first(key, WebhookSecret(), seconds=_DRAFT_SECONDS)

    def _first(
        self, key: str, secret: WebhookSecret, *, seconds: int | None = None
    ) -> WebhookSecret:
        """Write a secret unless another is there, and return the one that is."""
        with redis_errors():
            found = self._redis.set(key, secret.model_dump_json(), nx=True, get=True, ex=seconds)
        return _read(found) or secret

    def _find(self, key: str) -> WebhookSecret | None:
        with redis_errors():
            return _read(self._redis.get(key))


def _read(found: object) -> WebhookSecret | None:
    return WebhookSecret.model_validate_json(found) if isinstance(found, str) else None


def _key(owner: str) -> str:
    return f"whisperline:webhook_secret:{owner}"
