"""Read where Redis and object storage are: what every program must agree on."""

import sys
from typing import TypeVar

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

S = TypeVar("S", bound=BaseSettings)


def split_names(value: object) -> object:
    """Split `a, b` into its names; an environment variable has no other list."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


class StoreSettings(BaseSettings):
    """Where jobs live; the defaults are those of `make up`. An empty variable means unset."""

    model_config = SettingsConfigDict(
        frozen=True, env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6390/0")  # may hold a password
    s3_endpoint_url: str | None = None  # None: Amazon's own
    s3_bucket: str = Field(default="whisperline", min_length=3, max_length=63)
    aws_access_key_id: SecretStr | None = None  # None: boto3's own chain (role, profile)
    aws_secret_access_key: SecretStr | None = None
    # Days after its end until a job is purged with all its files; 0: kept until it is deleted.
    retention_days: int = Field(default=0, ge=0, le=3650)
    # The same of the media alone, never longer; 0: at once when it is done, None: with the job.
    media_retention_days: int | None = Field(default=None, ge=0, le=3650)
    aws_region: str = Field(
        default="us-east-1", validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION")
    )


def load_settings(settings: type[S]) -> S:
    """Read a program's settings from its environment, or end it with one line for each fault."""
    try:
        return settings()
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in fault["loc"]).upper()
            sys.stderr.write(f"setting {name}: {fault['msg']}\n")
        sys.exit(2)
