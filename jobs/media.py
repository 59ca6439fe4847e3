"""Say what is known of the sound that a job is about."""

from datetime import datetime
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from jobs.request_errors import MediaNotKept
from jobs.source import Source, UploadSource


class Media(BaseModel):
    """What was uploaded; `seconds` and `codec` are known once it was decoded."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    filename: str  # as the client said, without folders; only ever shown, never opened
    bytes: int | None = None  # None: it is still where `source` says
    sha256: str | None = None  # None: no program of ours has read all of it yet
    content_type: str | None = None
    seconds: float | None = None
    codec: str | None = None
    purged_at: AwareDatetime | None = None  # when it was deleted, before its job

    def is_kept(self, source: Source | None) -> bool:
        """Whether it is in our own storage, if it came from there."""
        return self.purged_at is None and (
            source is None or isinstance(source, UploadSource) or self.bytes is not None
        )

    def to_run_again(self, source: Source | None) -> Self:
        """Return what a job starts with that runs once more.

        Raises:
            MediaNotKept: it was deleted, and nobody but its owner has it.
        """
        if self.purged_at is None:
            return self
        if source is None or isinstance(source, UploadSource):
            msg = "the media was deleted, as its time was over; send it again as a new job"
            raise MediaNotKept(msg)
        # It is fetched again from where it came from.
        return type(self)(filename=self.filename, content_type=self.content_type)

    def purged(self, now: datetime) -> Self:
        """Note that it is about to be deleted."""
        return self.model_copy(update={"purged_at": self.purged_at or now})
