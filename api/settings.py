"""Read what an operator decides about the front door."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from jobs.batch import MAX_ITEMS
from jobs.options import WHISPER_MODELS
from jobs.settings import StoreSettings, split_names

OWNER_NAME = r"[a-z0-9][a-z0-9._-]{0,63}"
_KEY = re.compile(rf"{OWNER_NAME}:[0-9a-f]{{64}}")


class ApiSettings(StoreSettings):
    """Decisions about the API processes."""

    # name:sha256 of each key; further ones are made by `python -m api keys create NAME`
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(split_names)] = ()
    # Owners whose keys make, list and revoke keys over HTTP; none: the command line only
    admin_owners: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_names)] = ()
    allow_anonymous: bool = False  # True: without any key, serve others than this machine too
    requests_per_minute: int = Field(default=6000, ge=0)  # of one owner; 0: no limit
    max_queued_per_owner: int = Field(default=100_000, ge=1)  # jobs that wait
    max_batch_items: int = Field(default=MAX_ITEMS, ge=1, le=MAX_ITEMS)  # jobs of one batch
    max_file_size_mb: int = Field(default=4096, ge=1)  # MiB of one upload
    allowed_models: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_names)] = ()
    openai_whisper1_model: str | None = None  # what OpenAI's model names mean; None: the default
    source_buckets: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_names)] = ()
    allow_private_addresses: bool = False  # True: source.url may name machines of this network
    s3_public_endpoint_url: str | None = None  # as clients reach it; None: S3_ENDPOINT_URL
    api_processes: int = Field(default=2, ge=1, le=64)
    api_threads: int = Field(default=1024, ge=8, le=4096)  # per process; a waiting client holds one
    # Between two signs of life in an answer that has to wait; below the idle limit of proxies.
    heartbeat_seconds: float = Field(default=15.0, ge=0.1, le=60)
    upload_stall_seconds: float = Field(default=30.0, ge=1, le=600)

    @field_validator("api_keys")
    @classmethod
    def _keys_are_hashed(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for key in keys:
            if not _KEY.fullmatch(key.get_secret_value()):
                msg = (
                    "each entry is name:sha256, the name in lower case and the hash in "
                    "hexadecimal; `python -m api keys hash` makes one"
                )
                raise ValueError(msg)
        return keys

    @field_validator("admin_owners")
    @classmethod
    def _admins_are_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not re.fullmatch(OWNER_NAME, name):
                msg = f"{name!r} is no name of a key: lower case, as in `python -m api keys list`"
                raise ValueError(msg)
        return names

    @field_validator("allowed_models")
    @classmethod
    def _models_are_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
                msg = f"{name!r} is no name of a model: a directory in CACHE_DIR/models, no slashes"
                raise ValueError(msg)
        return names

    @field_validator("source_buckets")
    @classmethod
    def _buckets_are_names(cls, buckets: tuple[str, ...]) -> tuple[str, ...]:
        for bucket in buckets:
            if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
                msg = f"{bucket!r} is no name of a bucket"
                raise ValueError(msg)
        return buckets

    @property
    def max_media_bytes(self) -> int:
        """The largest upload, in bytes."""
        return self.max_file_size_mb * 1024 * 1024

    @property
    def most_waiters(self) -> int:
        """Requests that may wait in one process, half of its threads."""
        return self.api_threads // 2

    @property
    def most_uploads(self) -> int:
        """Uploads that one process receives at once, a quarter; the rest is for quick calls."""
        return self.api_threads // 4

    @property
    def most_batches(self) -> int:
        """Batches that one process takes in at once; each may fill some 250 MB for seconds."""
        return 4

    @property
    def models(self) -> tuple[str, ...]:
        """Every Whisper model that a client may name."""
        return (*WHISPER_MODELS, *self.allowed_models)
