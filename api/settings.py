"""Read what an operator decides about the front door."""

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from jobs.options import WHISPER_MODELS
from jobs.settings import StoreSettings, split_names


class ApiSettings(StoreSettings):
    """Decisions about the API processes."""

    max_file_size_mb: int = Field(default=4096, ge=1)  # MiB of one upload
    allowed_models: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_names)] = ()
    api_processes: int = Field(default=2, ge=1, le=64)
    api_threads: int = Field(default=64, ge=2, le=1024)  # per process; a waiting client holds one

    @property
    def max_media_bytes(self) -> int:
        """The largest upload, in bytes."""
        return self.max_file_size_mb * 1024 * 1024

    @property
    def models(self) -> tuple[str, ...]:
        """Every Whisper model that a client may name."""
        return (*WHISPER_MODELS, *self.allowed_models)
