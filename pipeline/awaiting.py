"""Wait for what cannot be interrupted, and go when nobody wants it any more."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

TELL_SECONDS = 1.0  # how often it is asked whether to go on waiting


def awaited(call: Callable[[], T], tell: Callable[[], None], *, name: str) -> T:
    """Return what `call` returns, or raise what it raises.

    Args:
        call: runs in a thread of its own, which ends with the process at the latest.
        tell: called every TELL_SECONDS meanwhile. What it raises leaves this call at once; then
            `call` goes on by itself, and nobody reads what it returns.
        name: of the thread.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  # raised where it is waited for
            future.set_exception(error)

    # No pool: its threads are waited for when the process ends, and this one may hang for ever.
    threading.Thread(target=run, name=name, daemon=True).start()
    while True:
        try:
            return future.result(timeout=TELL_SECONDS)
        except TimeoutError:
            if future.done():  # the call itself raised it
                raise
            tell()
