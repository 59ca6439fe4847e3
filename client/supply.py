"""Say where a run gets its items from."""

from collections.abc import Sequence
from typing import Protocol

from client.items import Item


class Supply(Protocol):
    """Gives one item after the other."""

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing will ever come again."""

    @property
    def expected(self) -> int | None:
        """How many items there will be in all; None: nobody knows."""

    def take(self) -> Item | None:
        """Return the next item; None if there is none now."""


class Listed:
    """A list of items that does not grow."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._taken = 0

    @property
    def is_exhausted(self) -> bool:
        """Whether all were taken."""
        return self._taken == len(self._items)

    @property
    def expected(self) -> int | None:
        """How many there are."""
        return len(self._items)

    def take(self) -> Item | None:
        """Return the next one."""
        if self.is_exhausted:
            return None
        self._taken += 1
        return self._items[self._taken - 1]
