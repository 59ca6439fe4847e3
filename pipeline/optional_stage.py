"""Let a stage fail without failing the job."""

import logging
from types import TracebackType
from typing import Self

from jobs.errors import ServiceError
from pipeline.memory_faults import is_out_of_memory

log = logging.getLogger(__name__)


class OptionalStage:
    """A block whose own errors end the block and nothing else.

    A transcript without speakers is worth more than none. But what ran out of memory may succeed
    with half the batch, so that leaves the block as it is; and so does the end of a run that nobody
    waits for (`awaiting.NobodyWaits`), which is no Exception. `reason` says, for a client's eyes,
    what went wrong.
    """

    def __init__(self) -> None:
        self.reason = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception) or is_out_of_memory(error):
            return False
        if isinstance(error, ServiceError):
            log.warning("an optional stage failed: %s", error)
            self.reason = error.message
        else:
            log.error("an optional stage failed", exc_info=error)
            self.reason = "a fault of this service; its log says more"
        return True
