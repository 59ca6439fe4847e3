"""Keep account of a run: which models ran, and what a success lacks."""

import logging
from dataclasses import dataclass, field

from jobs.stages import Stage
from transcript.transcript import Models, TranscriptWarning

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Account:
    """What the stages of one run note for its transcript."""

    warnings: list[TranscriptWarning] = field(default_factory=list)
    _ran: dict[str, str] = field(default_factory=dict)  # as transcript.Models has it

    def ran(self, **models: str) -> None:
        """Note which model ran, under the names that `transcript.Models` has."""
        self._ran.update(models)

    def warn(self, code: str, stage: Stage, message: str) -> None:
        """Note what the transcript lacks, for a client's eyes."""
        log.info("warning %s: %s", code, message)
        self.warnings.append(TranscriptWarning(code=code, stage=stage, message=message))

    def add(self, other: "Account") -> None:
        """Note all that another account has, after what this one has."""
        self.warnings.extend(other.warnings)
        self._ran.update(other._ran)

    def models(self) -> Models:
        """Return all that ran."""
        return Models(**self._ran)
