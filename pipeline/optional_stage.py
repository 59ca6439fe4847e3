"""Let a stage fail without failing the job, and let nobody mistake a cancel for that."""

import logging
from types import TracebackType
from typing import Self

from jobs.errors import ServiceError
from jobs.stages import Stage
from pipeline.progress import OnProgress

log = logging.getLogger(__name__)


class OptionalStage:
    """A block whose own errors end the block; what `on_progress` raises ends the run.

    A transcript without speakers is worth more than none. `reason` says, for a client's eyes,
    what went wrong.
    """

    def __init__(self, on_progress: OnProgress) -> None:
        self._tell = on_progress
        self._interrupt: BaseException | None = None
        self.reason = ""

    def on_progress(self, stage: Stage, fraction: float) -> None:
        """Pass progress on, and remember what the caller raises at it."""
        try:
            self._tell(stage, fraction)
        except BaseException as interrupt:
            self._interrupt = interrupt
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is None or error is self._interrupt or not isinstance(error, Exception):
            return False
        if isinstance(error, ServiceError):
            log.warning("an optional stage failed: %s", error)
            self.reason = error.message
        else:
            log.error("an optional stage failed", exc_info=error)
            self.reason = "a fault of this service; its log says more"
        return True
