"""An API whose keys are its own: a first key closes the door of all that share its bucket."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from deploy.local.stack import Stack
from jobs import s3_client as s3
from jobs.files import JobFiles
from jobs.key_files import KeyFiles
from tests.integration.second_api import SecondApi

CALLS = (("POST", "/v1/keys"), ("GET", "/v1/keys"), ("DELETE", "/v1/keys/bob"))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedService:
    """An API, and the keys that it has in storage."""

    api: SecondApi
    bucket: str
    files: KeyFiles

    def ask(
        self, method: str, path: str, *, key: str | None = None, **options: Any
    ) -> httpx.Response:
        """Send a request with a key, or without; `options` are those of httpx."""
        headers = {"X-API-Key": key} if key else {}
        headers |= options.pop("headers", {})
        return httpx.request(method, self.api.url + path, headers=headers, timeout=30, **options)

    def make(self, name: str, *, key: str | None) -> httpx.Response:
        """Ask for a key of a name."""
        return self.ask("POST", "/v1/keys", key=key, json={"name": name})

    def lets_in(self, key: str | None) -> bool:
        """Whether a key is known, or none is needed."""
        return self.ask("GET", "/v1/queue", key=key).status_code == 200

    def names(self) -> list[str]:
        """Return the names of the keys in storage."""
        return [key.owner for key in self.files.read().keys]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedServices:
    """Starts them."""

    stack: Stack
    start_api: Callable[..., SecondApi]

    def start(self, *, bucket: str | None = None, **variables: str) -> KeyedService:
        """Start an API with settings of its own, in a new bucket unless it is to share one."""
        client, name = s3.connect(self.stack.store_settings), bucket or f"keys-{uuid.uuid4().hex}"
        JobFiles(client, name).ensure_bucket()
        api = self.start_api(S3_BUCKET=name, **variables)
        return KeyedService(api=api, bucket=name, files=KeyFiles(client, name))
