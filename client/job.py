"""Hold what the service says of a job; what this version does not know of is passed on."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Value(BaseModel):
    # A newer service may say more, and `--json` shows it all.
    model_config = ConfigDict(frozen=True, extra="allow")


class Media(_Value):
    """What was uploaded."""

    filename: str = ""
    bytes: int | None = None
    sha256: str | None = None  # None: no program of the service has read it yet


class Failure(_Value):
    """Why a job failed."""

    code: str
    message: str = ""


class Warned(_Value):
    """What a success lacks."""

    code: str
    message: str = ""


class Job(_Value):
    """A job as its owner sees it."""

    id: str
    status: str
    client_id: str | None = None
    stage: str | None = None  # while it runs
    progress: float = 0.0  # 0 to 1
    queue_position: int | None = None  # how many go first
    media: Media = Field(default_factory=Media)
    warnings: tuple[Warned, ...] = ()
    error: Failure | None = None

    @property
    def is_over(self) -> bool:
        """Whether it will not move again by itself."""
        return self.status in ("succeeded", "failed", "canceled")

    @property
    def has_succeeded(self) -> bool:
        """Whether there is a transcript."""
        return self.status == "succeeded"

    @property
    def step(self) -> str:
        """What it is doing, in a few words."""
        if self.queue_position is not None:
            return f"queued, {self.queue_position} before it"
        return self.stage or self.status

    @property
    def trouble(self) -> str:
        """Why there is no transcript, in one line."""
        if self.error is None:
            return self.status
        return f"{self.error.code}: {self.error.message}"

    def shown(self) -> dict[str, Any]:
        """Return all that the service said, for `--json`."""
        return self.model_dump(mode="json", exclude_unset=True)
