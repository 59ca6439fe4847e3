"""Wait for what cannot be interrupted, and go when nobody wants it any more."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")

TELL_SECONDS = 0.5  # how often it is asked whether to go on waiting


class NobodyWaits(BaseException):
    """The caller has left, so there is nothing to go on for.

    No Exception: nothing on the way out may take it for a fault of its own and go on.
    """


class Caller(Generic[T]):
    """Whoever waits for a computation, as the thread that computes sees it."""

    def __init__(self) -> None:
        self._messages: SimpleQueue[Callable[[], None] | _Ended[T]] = SimpleQueue()
        self._has_left = False

    def tell(self, message: Callable[[], None]) -> None:
        """Have something called in the caller's thread, after all that was told before.

        Nobody waits for that here: a caller who is held up does not hold up the computation.

        Raises:
            NobodyWaits: the caller has left.
        """
        if self._has_left:
            raise NobodyWaits
        self._messages.put(message)

    def end(self, ended: "_Ended[T]") -> None:
        """Hand over what came of it."""
        self._messages.put(ended)

    def wait(self, tell: Callable[[], None]) -> T:
        """Do what is told, in the caller's thread, until there is a result."""
        try:
            while True:
                try:
                    message = self._messages.get(timeout=TELL_SECONDS)
                except Empty:
                    tell()
                    continue
                if isinstance(message, _Ended):
                    return message.result()
                message()
        finally:
            self.leave()

    def leave(self) -> None:
        """Let the computation know that nobody waits for it any more."""
        self._has_left = True


@dataclass(slots=True, kw_only=True)
class _Ended(Generic[T]):
    """What came of a call.

    Nothing that the frames of the error's traceback see may hold the error: such a circle keeps
    all that they know, tensors too, until the garbage collector comes by.
    """

    value: T | None = None
    error: BaseException | None = None

    def result(self) -> T:
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
        finally:
            del error
        return self.value  # type: ignore[return-value] # of a T that may itself be None


def awaited(call: Callable[[], T], tell: Callable[[], None], *, name: str) -> T:
    """Return what `call` returns, or raise what it raises.

    Args:
        call: runs in a thread of its own, which ends with the process at the latest: it may hang
            for ever.
        tell: called every TELL_SECONDS meanwhile. What it raises leaves this call at once; then
            `call` goes on by itself, and nobody reads what it returns.
        name: of the thread.
    """
    return _awaited(lambda _: call(), tell, name=name, daemon=True)


def followed(call: Callable[[Caller[T]], T], tell: Callable[[], None], *, name: str) -> T:
    """Return what `call` returns, and hear of it meanwhile.

    Args:
        call: runs in a thread of its own. What it tells its caller is called in this one. It
            tells something often, so that it ends soon after the caller has left: the end of the
            process waits for it, as native code that is cut off in its midst may abort.
        tell: called whenever there was nothing to hear for TELL_SECONDS. What it or a message
            raises leaves this call at once.
        name: of the thread.
    """
    return _awaited(call, tell, name=name, daemon=False)


@contextmanager
def beside(call: Callable[[Caller[T]], T], *, name: str) -> Iterator[Caller[T]]:
    """Compute something beside a block, which it does not outlive.

    Args:
        call: as for `followed`. What it tells is called when the block waits.
        name: of the thread.

    Yields:
        Whose `wait` returns what `call` returns, or raises what it raises.
    """
    caller: Caller[T] = Caller()
    thread = _start(call, caller, name=name, daemon=False)
    try:
        yield caller
    finally:
        caller.leave()
        thread.join()


def _awaited(
    call: Callable[[Caller[T]], T], tell: Callable[[], None], *, name: str, daemon: bool
) -> T:
    caller: Caller[T] = Caller()
    _start(call, caller, name=name, daemon=daemon)
    return caller.wait(tell)


def _start(
    call: Callable[[Caller[T]], T], caller: Caller[T], *, name: str, daemon: bool
) -> threading.Thread:

    def run() -> None:
        try:
            caller.end(_Ended(value=call(caller)))
        except BaseException as error:  # noqa: BLE001  # raised where it is waited for
            caller.end(_Ended(error=error))

    thread = threading.Thread(target=run, name=name, daemon=daemon)
    thread.start()
    return thread
