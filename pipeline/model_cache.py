"""Keep loaded models, so that jobs share them, and let go of those that nobody uses."""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

T = TypeVar("T")

# Gets the models that leave, by name, and empties what it gets: it holds the last references.
LetGo = Callable[[dict[str, object]], None]


@dataclass(slots=True, kw_only=True)
class _Loaded:
    """A model in memory."""

    model: object
    users: int = 0  # that are in a `using` block
    is_kept: bool = False  # somebody has it who does not say when it is no longer used
    used_at: float = 0.0  # second of the cache's clock at which the last user was done


class ModelCache:
    """Models by name, each loaded once; safe to share between threads.

    Two threads that want the same model wait for one load; different models load side by side.

    Of more than `most` models, idle ones leave before the next one is loaded, the one that waited
    longest first. Where all are in use the next one is loaded nevertheless, and the surplus leaves
    at a later load or `shrink`. Nobody waits for another's model: a job holds Whisper while it
    wants an aligner, and two of them would wait for each other for ever.

    Args:
        most: models in memory, those that load included; 0: any number.
        stay: names of models that never leave; they count among `most`.
        let_go: takes those that leave; called outside of all locks but that of the model that
            waits for the room.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        *,
        most: int = 0,
        stay: Collection[str] = (),
        let_go: LetGo = dict.clear,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._stay = frozenset(stay)
        self._let_go = let_go
        self._clock = clock
        self._lock = threading.Lock()  # held for look-ups only, never while a model loads
        self._alone: dict[str, threading.Lock] = {}  # held by the one thread that loads a model
        self._n_loading = 0
        self._models: dict[str, _Loaded] = {}

    def get(self, key: str, load: Callable[[], T]) -> T:
        """Return the model for good, loading it when nobody has yet; it is never evicted.

        A load that raises leaves nothing behind: its error goes to the caller, and the next one
        who asks tries again. One key always stands for one type.
        """
        loaded = self._taken(key, load)
        with self._lock:
            loaded.is_kept = True
            loaded.users -= 1
        return cast(T, loaded.model)

    @contextmanager
    def using(self, key: str, load: Callable[[], T]) -> Iterator[T]:
        """Lend the model for a block, in which it is not evicted; errors are those of `get`."""
        loaded = self._taken(key, load)
        try:
            yield cast(T, loaded.model)
        finally:
            with self._lock:
                loaded.users -= 1
                loaded.used_at = self._clock()

    def evict_idle(self, seconds: float) -> tuple[str, ...]:
        """Let go of the models that nobody has used for so long since; returns their keys."""
        latest = self._clock() - seconds
        with self._lock:
            idle = [key for key in self._idle() if self._models[key].used_at <= latest]
            leaving = self._removed(idle)
        return self._gone(leaving)

    def shrink(self) -> tuple[str, ...]:
        """Let go of what is idle beyond the number that may be loaded; returns their keys."""
        with self._lock:
            leaving = self._surplus()
        return self._gone(leaving)

    def loaded(self) -> tuple[str, ...]:
        """The keys of what is loaded, in the order of loading."""
        with self._lock:
            return tuple(self._models)

    def _taken(self, key: str, load: Callable[[], object]) -> _Loaded:
        """Return the model with one more user."""
        taken = self._take_loaded(key)
        if taken is not None:
            return taken
        with self._lock:
            alone = self._alone.setdefault(key, threading.Lock())
        with alone:
            taken = self._take_loaded(key)  # loaded while this thread waited
            return taken if taken is not None else self._load(key, load)

    def _load(self, key: str, load: Callable[[], object]) -> _Loaded:
        with self._lock:
            self._n_loading += 1
            leaving = self._surplus()
        loaded = None
        try:
            self._gone(leaving)  # before the load: the old and the new may not fit side by side
            loaded = _Loaded(model=load(), users=1)
        finally:
            with self._lock:  # in one step, or it would count twice or not at all
                self._n_loading -= 1
                if loaded is not None:
                    self._models[key] = loaded
        return loaded

    def _take_loaded(self, key: str) -> _Loaded | None:
        with self._lock:
            loaded = self._models.get(key)
            # Counted under the same lock under which idle models leave: no eviction in between.
            if loaded is not None:
                loaded.users += 1
            return loaded

    def _idle(self) -> list[str]:
        """Return the keys of what may leave, the longest idle first; for holders of the lock."""
        idle = [
            key
            for key, loaded in self._models.items()
            if not loaded.users and not loaded.is_kept and key not in self._stay
        ]
        return sorted(idle, key=lambda key: self._models[key].used_at)

    def _surplus(self) -> dict[str, object]:
        if not self._most:
            return {}
        count = len(self._models) + self._n_loading - self._most
        return self._removed(self._idle()[: max(count, 0)])

    def _removed(self, keys: Collection[str]) -> dict[str, object]:
        return {key: self._models.pop(key).model for key in keys}

    def _gone(self, leaving: dict[str, object]) -> tuple[str, ...]:
        keys = tuple(leaving)
        if keys:
            self._let_go(leaving)
        return keys
