"""Wait for our own stores to come back, rather than lose what a job has done so far."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay
from tenacity.wait import wait_exponential

from jobs.errors import StorageUnavailable, StoreUnavailable

OUTAGE_SECONDS = 600.0  # then the job is left to a later attempt
_LOOK_SECONDS = 1.0  # how often a job that waits looks whether it is still wanted

T = TypeVar("T")

log = logging.getLogger(__name__)


def patiently(
    call: Callable[[], T], go_on: Callable[[], None], *, seconds: float = OUTAGE_SECONDS
) -> T:
    """Return what `call` returns, tried again while Redis or storage does not answer.

    Args:
        call: may be made again; a call that came through unseen must do no harm.
        go_on: called every second of waiting; what it raises leaves this call at once.
        seconds: how long an outage is waited for.

    Raises:
        StoreUnavailable, StorageUnavailable: it is still away.
        Whatever `call` or `go_on` raises.
    """

    def sleep(for_seconds: float) -> None:
        until = time.monotonic() + for_seconds
        while (left := until - time.monotonic()) > 0:
            go_on()
            time.sleep(min(_LOOK_SECONDS, left))

    def say_once(tries: RetryCallState) -> None:
        if tries.attempt_number == 1 and tries.outcome is not None:
            log.warning("waits for its store: %s", tries.outcome.exception())

    trying = Retrying(
        retry=retry_if_exception_type((StoreUnavailable, StorageUnavailable)),
        stop=stop_after_delay(seconds),
        wait=wait_exponential(multiplier=0.5, max=5.0),
        before_sleep=say_once,
        sleep=sleep,
        reraise=True,
    )
    found = trying(call)
    if trying.statistics["attempt_number"] > 1:
        log.warning("its store is back")
    return found
