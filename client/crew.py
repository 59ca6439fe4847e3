"""Let threads do the work and one thread decide."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")
Then = Callable[[Callable[[], T]], None]


class Crew:
    """Threads that send, threads that fetch, and one that waits for jobs.

    Each has its own work only: while the service takes nothing, all that send may be asleep, and
    what is ready must be fetched nevertheless.

    What follows from a piece of work is done by the thread that calls `await_some`, so that
    nothing it decides on needs a lock.
    """

    def __init__(self, *, parallel: int) -> None:
        self._senders = ThreadPoolExecutor(parallel, "sender")
        self._fetchers = ThreadPoolExecutor(parallel, "fetcher")
        self._follower = ThreadPoolExecutor(1, "follower")
        self._under_way: dict[Future[Any], Callable[[], None]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Nobody is waited for: after Ctrl-C an upload may have an hour to go. `leave` in
        # `client/__main__.py` ends the threads with the process.
        for pool in (self._senders, self._fetchers, self._follower):
            pool.shutdown(wait=False, cancel_futures=True)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._under_way

    def send(self, work: Callable[[], T], then: Then[T]) -> None:
        """Let a sender work; `then` is given what returns the result, or raises the error."""
        self._begin(self._senders.submit(work), then)

    def fetch(self, work: Callable[[], T], then: Then[T]) -> None:
        """The same, by one that fetches."""
        self._begin(self._fetchers.submit(work), then)

    def follow(self, work: Callable[[], T], then: Then[T]) -> None:
        """The same, by the one that waits for jobs."""
        self._begin(self._follower.submit(work), then)

    def await_some(self, *, at_most_seconds: float | None) -> None:
        """Wait until something is done, and do what follows from it."""
        for future in wait(
            self._under_way, timeout=at_most_seconds, return_when=FIRST_COMPLETED
        ).done:
            self._under_way.pop(future)()

    def _begin(self, future: Future[T], then: Then[T]) -> None:
        self._under_way[future] = partial(then, future.result)
