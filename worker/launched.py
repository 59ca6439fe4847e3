"""Hold what a launcher tells each process that it starts; nobody else sets these variables."""

from secrets import token_hex

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobs.stage_call import StageRole


class Launched(BaseSettings):
    """What a process knows of its launcher; started by hand, it has none."""

    model_config = SettingsConfigDict(
        frozen=True, env_ignore_empty=True, env_prefix="WORKER_", extra="ignore"
    )

    process: str = Field(default_factory=lambda: token_hex(8))  # of all that ever ran, in leases
    pipe: int | None = None  # the descriptor to speak to (`worker/watching.py`); None: nobody hears
    stage: StageRole = StageRole.WHISPER  # what it does, where stages have processes of their own

    @property
    def variables(self) -> dict[str, str]:
        """What the process has to find in its environment."""
        return {"WORKER_PROCESS": self.process, "WORKER_PIPE": str(self.pipe)}
