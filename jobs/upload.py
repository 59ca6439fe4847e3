"""Hold what is known of media that a client sends to object storage by itself."""

from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from jobs.media import Media
from jobs.request_errors import UploadIncomplete, UploadUsed


class UploadState(StrEnum):
    """Where an upload stands."""

    OPEN = "open"  # its parts are on their way
    COMPLETE = "complete"  # all bytes are there, and no job has taken them
    USED = "used"  # a job has taken it


class Upload(BaseModel):
    """Media on its way, or there."""

    model_config = ConfigDict(frozen=True)

    id: str
    owner: str
    filename: str
    content_type: str | None = None
    bytes: int  # as announced; what arrives must be exactly this
    part_bytes: int  # of each part but the last
    s3_upload_id: str  # every upload is one of S3's multipart uploads, also that of one part
    created_at: AwareDatetime
    expires_at: AwareDatetime
    is_complete: bool = False
    job_id: str | None = None  # that took it

    @property
    def parts(self) -> int:
        """How many parts it comes in; they are numbered from 1."""
        return -(-self.bytes // self.part_bytes)

    def offset_of(self, part: int) -> int:
        """Return at which byte of the media a part begins."""
        return (part - 1) * self.part_bytes

    def bytes_of(self, part: int) -> int:
        """Return how many bytes a part has."""
        return min(self.part_bytes, self.bytes - self.offset_of(part))

    @property
    def state(self) -> UploadState:
        """Where it stands."""
        if self.job_id is not None:
            return UploadState.USED
        return UploadState.COMPLETE if self.is_complete else UploadState.OPEN

    @property
    def media(self) -> Media:
        """What its job knows of the media before a worker read it."""
        return Media(filename=self.filename, bytes=self.bytes, content_type=self.content_type)

    def completed(self) -> Self:
        """Note that all bytes are there."""
        return self.model_copy(update={"is_complete": True})

    def withdrawn(self) -> Self:
        """Let its time run out.

        Raises:
            UploadUsed: its media is a job's.
        """
        self.must_be_unused()
        # In the past by every clock, whichever of them is off.
        return self.model_copy(update={"expires_at": self.created_at})

    def taken(self, job_id: str) -> Self:
        """Give it to a job.

        Raises:
            UploadUsed: it is another job's.
            UploadIncomplete: not all bytes are there.
        """
        self.must_be_to_be_had()
        return self.model_copy(update={"job_id": job_id})

    def must_be_to_be_had(self) -> None:
        """Raise UploadUsed or UploadIncomplete where no job can take it."""
        self.must_be_unused()
        if not self.is_complete:
            msg = f"the upload is not complete: POST /v1/uploads/{self.id}/complete first"
            raise UploadIncomplete(msg)

    def must_be_unused(self) -> None:
        """Raise UploadUsed where a job has taken it."""
        if self.job_id is not None:
            msg = f"job {self.job_id} has taken this upload; each makes one job"
            raise UploadUsed(msg)

    def is_over(self, now: float) -> bool:
        """Whether its time ran out before a job took it; `now` in seconds, as Redis says."""
        return self.job_id is None and self.expires_at.timestamp() <= now
