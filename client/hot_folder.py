"""Take items from a folder into which others put media."""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from client.items import Item
from client.media_files import media_below
from client.output_names import below
from client.plan import stem_of
from client.settling import Settling


class HotFolder:
    """A supply that looks into its folder again and again."""

    def __init__(
        self,
        folder: Path,
        *,
        output_dir: Path,
        options: Mapping[str, Any],
        settle_seconds: float,
        look_every_seconds: float,
        is_once: bool,
        clock: Callable[[], float],
    ) -> None:
        """Begin with nothing seen.

        Args:
            folder: where media appears, at any depth.
            output_dir: never looked into.
            options: of all jobs.
            settle_seconds: how long a file must not change before it is taken.
            look_every_seconds: pause between two looks.
            is_once: whether it is exhausted when everything that is there was taken.
            clock: seconds, never going back.
        """
        self._folder = folder
        self._output_dir = output_dir
        self._options = options
        self._settling = Settling(seconds=settle_seconds, clock=clock)
        self._every = look_every_seconds
        self._is_once = is_once
        self._clock = clock
        self._looked_at: float | None = None
        self._ready: deque[Item] = deque()

    @property
    def is_exhausted(self) -> bool:
        """Whether everything was taken that was there, and that was asked for."""
        has_looked = self._looked_at is not None
        return self._is_once and has_looked and not self._ready and not self._settling.unsettled

    @property
    def expected(self) -> int | None:
        """Nobody knows."""
        return None

    def take(self) -> Item | None:
        """Return a file that has settled."""
        if not self._ready and self._is_time():
            self._look()
        return self._ready.popleft() if self._ready else None

    def _is_time(self) -> bool:
        return self._looked_at is None or self._clock() - self._looked_at >= self._every

    def _look(self) -> None:
        self._looked_at = self._clock()
        there = list(media_below(self._folder, besides=self._output_dir))
        stems = Counter(stem_of(below(path.relative_to(self._folder))) for path in there)
        for path in self._settling.look(there):
            relative = below(path.relative_to(self._folder))
            self._ready.append(
                Item(
                    relative=relative,
                    path=path,
                    options=self._options,
                    is_alone=stems[stem_of(relative)] == 1,
                )
            )
