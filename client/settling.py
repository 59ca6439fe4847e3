"""Tell which files nobody writes to any longer."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from client.media_files import regular


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    size: int  # bytes
    mtime_ns: int
    since: float  # seconds of the clock; that long it looks like this


class Settling:
    """Watches files grow; nothing but looking tells when a copy over a network is complete."""

    def __init__(self, *, seconds: float, clock: Callable[[], float]) -> None:
        """Begin.

        Args:
            seconds: how long size and time of change have to stay the same.
            clock: seconds, never going back.
        """
        self._seconds = seconds
        self._clock = clock
        self._looks: dict[Path, _Look] = {}
        self._settled: dict[Path, tuple[int, int]] = {}

    def look(self, paths: Iterable[Path]) -> list[Path]:
        """Return the files that have settled since the last look; a later change counts anew."""
        looks: dict[Path, _Look] = {}
        settled: dict[Path, tuple[int, int]] = {}
        fresh: list[Path] = []
        for path in paths:
            found = regular(path)
            if found is None or found.st_size == 0:  # empty: somebody is about to write
                continue
            state = (found.st_size, found.st_mtime_ns)
            if self._settled.get(path) == state:
                settled[path] = state
                continue
            look = self._look_of(path, state)
            if self._clock() - look.since >= self._seconds:
                settled[path] = state
                fresh.append(path)
            else:
                looks[path] = look
        self._looks, self._settled = looks, settled  # what is gone is forgotten
        return fresh

    @property
    def unsettled(self) -> int:
        """How many files were still changing at the last look."""
        return len(self._looks)

    def _look_of(self, path: Path, state: tuple[int, int]) -> _Look:
        before = self._looks.get(path)
        if before is not None and (before.size, before.mtime_ns) == state:
            return before
        return _Look(size=state[0], mtime_ns=state[1], since=self._clock())
