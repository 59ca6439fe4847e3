"""Name a stage of a running job that another process is to do."""

from dataclasses import dataclass
from enum import StrEnum


class StageRole(StrEnum):
    """What a process does of the jobs, where none does all of it."""

    WHISPER = "whisper"  # it runs the jobs, and has the other stages done
    ALIGN = "align"  # it gives words their times
    DIARIZE = "diarize"  # it tells speakers apart


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCall:
    """One stage of one attempt; a call that comes twice is the same call."""

    job_id: str
    attempt: str  # the token of its lease
    role: StageRole  # ALIGN or DIARIZE

    @property
    def id(self) -> str:
        """Its name in Redis, of its message too."""
        return f"{self.job_id}.{self.attempt}.{self.role}"
