"""Compute together what several threads ask of one model at the same time."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from pipeline.awaiting import TELL_SECONDS
from pipeline.memory_faults import free_memory, is_out_of_memory

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Found = TypeVar("Found")


@dataclass(slots=True, kw_only=True)
class _Outcome(Generic[Item, Found]):
    """What came of an item: what was found, or an error that is its own."""

    item: Item
    found: Found | None = None
    error: Exception | None = None

    def result(self) -> tuple[Item, Found]:
        # As in pipeline/awaiting.py: no frame of the traceback may hold the error.
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
        finally:
            del error
        return self.item, self.found  # type: ignore[return-value] # of a Found that may be None


class SharedBatches(Generic[Item, Found]):
    """A model that computes one batch at a time, of whatever waits then.

    Nobody waits for company: what is put while nothing is computed is computed at once, and what
    comes meanwhile makes up the next batch. Lines take turns, so that one of many items does not
    keep one of few waiting. A thread computes as long as anything waits, and then ends.

    Args:
        compute: returns what it found for each item, in their order; called by one thread at a
            time. Where it raises, it is asked again for each half, down to the item at fault.
        key: items whose keys are equal may share a batch.
        name: of the thread.
    """

    def __init__(
        self,
        compute: Callable[[Sequence[Item]], Sequence[Found]],
        *,
        key: Callable[[Item], Hashable],
        name: str,
    ) -> None:
        self._compute = compute
        self._key = key
        self._name = name
        self._lock = threading.Lock()  # held for what follows, never while something is computed
        self._lines: list[Line[Item, Found]] = []
        self._computed = 0  # batches so far
        self._is_computing = False

    @contextmanager
    def line(self, *, most: int) -> Iterator["Line[Item, Found]"]:
        """Queue up for a block; what still waits at its end is not computed any more.

        Args:
            most: items in a batch that has one of this line's in it, whoever the others are from.
        """
        line = Line(self, most=most)
        with self._lock:
            self._lines.append(line)
        try:
            yield line
        finally:
            with self._lock:
                self._lines.remove(line)
                line.waiting.clear()

    def put(self, line: "Line[Item, Found]", items: Sequence[Item], *, first: bool) -> None:
        """Let items wait in a line, and see to it that somebody computes them."""
        with self._lock:
            if not line.waiting:
                line.since = self._computed
            if first:
                line.waiting.extendleft(reversed(items))
            else:
                line.waiting.extend(items)
            if self._is_computing or not items:
                return
            # No daemon: native code that is cut off in its midst may abort the process.
            threading.Thread(target=self._compute_all, name=self._name).start()
            self._is_computing = True

    def _compute_all(self) -> None:
        while batch := self._next_batch():
            try:
                self._compute_or_divide(batch)
            except Exception as error:  # noqa: BLE001  # raised where it is waited for
                # Not of the computation itself: even what is kept account of takes memory.
                for line, item in batch:
                    line.outcomes.put(_Outcome(item=item, error=error))

    def _next_batch(self) -> list[tuple["Line[Item, Found]", Item]]:
        """Take the next batch off the lines: one item of each in turn, the longest waiting first.

        Whoever waits longest decides what sort of batch it is, so each sort has its turn.
        """
        with self._lock:
            lines = sorted(
                (line for line in self._lines if line.waiting), key=lambda line: line.since
            )
            if not lines:
                self._is_computing = False
                return []
            self._computed += 1
            key, most = self._key(lines[0].waiting[0]), lines[0].most
            batch: list[tuple[Line[Item, Found], Item]] = []
            while len(batch) < most:
                before = len(batch)
                for line in lines:
                    if len(batch) < min(most, line.most) and line.has_next(key, self._key):
                        most = min(most, line.most)
                        batch.append((line, line.waiting.popleft()))
                        line.since = self._computed
                if len(batch) == before:
                    break
            return batch

    def _compute_or_divide(self, batch: Sequence[tuple["Line[Item, Found]", Item]]) -> None:
        try:
            found = self._compute([item for _, item in batch])
        except Exception as error:  # noqa: BLE001  # raised where it is waited for
            if len(batch) == 1:
                ((line, item),) = batch
                line.outcomes.put(_Outcome(item=item, error=error))
                return
            log.warning("a batch of %d is computed again by halves: %s", len(batch), error)
            lacks_memory = is_out_of_memory(error)
        else:
            for (line, item), each in zip(batch, found, strict=True):
                line.outcomes.put(_Outcome(item=item, found=each))
            return
        # Outside of the block above, in which the error still holds all that was computed with.
        if lacks_memory:
            free_memory()
            for line, _ in batch:
                line.most = min(line.most, max(1, len(batch) // 2))
        middle = len(batch) // 2
        self._compute_or_divide(batch[:middle])
        self._compute_or_divide(batch[middle:])


@dataclass(slots=True, eq=False)
class Line(Generic[Item, Found]):
    """What one thread has waiting, and what came of it."""

    _shared: SharedBatches[Item, Found]
    most: int = field(kw_only=True)
    waiting: deque[Item] = field(init=False, default_factory=deque)
    since: int = field(init=False, default=0)  # batches computed when it last had its turn
    outcomes: SimpleQueue[_Outcome[Item, Found]] = field(init=False, default_factory=SimpleQueue)

    def put(self, items: Sequence[Item], *, first: bool = False) -> None:
        """Have items computed, in their order; `first`: before all that wait in this line."""
        self._shared.put(self, items, first=first)

    def take(self, tell: Callable[[], None]) -> tuple[Item, Found]:
        """Wait for the next item that is computed, in whatever order.

        Args:
            tell: called every TELL_SECONDS meanwhile; what it raises leaves this call.

        Raises:
            Exception: what computing this item alone has raised.
        """
        while True:
            try:
                outcome = self.outcomes.get(timeout=TELL_SECONDS)
            except Empty:
                tell()
                continue
            return outcome.result()

    def has_next(self, key: Hashable, key_of: Callable[[Item], Hashable]) -> bool:
        """Say whether the item that has waited longest here has a key."""
        return bool(self.waiting) and key_of(self.waiting[0]) == key
