"""Read where Redis and object storage are: what every program must agree on."""

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


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
    aws_region: str = Field(
        default="us-east-1", validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION")
    )
