"""Say where a job's media comes from when it did not come with the request."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

UPLOAD_ID = r"^upl_[0-9a-f]{32}$"


class _Source(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UrlSource(_Source):
    """Fetched by the worker that takes the job, over http or https."""

    type: Literal["url"]  # without a default, as records leave defaults out
    url: Annotated[str, StringConstraints(min_length=8, max_length=2048)]
    # What the address asks for, such as Authorization. Never shown, and forgotten once the media
    # is in storage.
    headers: dict[
        Annotated[str, StringConstraints(max_length=100)],
        Annotated[str, StringConstraints(max_length=4096)],
    ] = Field(default_factory=dict, max_length=20)


class S3Source(_Source):
    """Read from a bucket that the operator allows."""

    type: Literal["s3"]  # without a default, as records leave defaults out
    s3_uri: Annotated[str, StringConstraints(pattern=r"^s3://[^/\s]{3,63}/.{1,1024}$")]

    @property
    def bucket(self) -> str:
        """The bucket in the address."""
        return self.s3_uri.removeprefix("s3://").partition("/")[0]

    @property
    def key(self) -> str:
        """The object in the bucket."""
        return self.s3_uri.removeprefix("s3://").partition("/")[2]


class UploadSource(_Source):
    """Sent to object storage by the client beforehand (`/v1/uploads`)."""

    type: Literal["upload"]  # without a default, as records leave defaults out
    upload_id: Annotated[str, StringConstraints(pattern=UPLOAD_ID)]


Source = Annotated[UrlSource | S3Source | UploadSource, Field(discriminator="type")]
