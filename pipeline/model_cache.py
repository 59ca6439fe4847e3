"""Keep loaded models, so that jobs share them, and let go of those that nobody uses."""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class _Loaded:
    """A model in memory."""

    model: object
    users: int = 0  # that are in a `using` block
    is_kept: bool = False  # somebody has it who does not say when it is no longer used
    used_at: float = 0.0  # monotonic second at which the last user was done


class ModelCache:
    """Models by name, each loaded once; safe to share between threads.

    Two threads that want the same model wait for one load; different models load side by side.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held for look-ups only, never while a model loads
        self._loading: dict[str, threading.Lock] = {}
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
                loaded.used_at = time.monotonic()

    def evict_idle(self, seconds: float, *, but: Collection[str] = ()) -> tuple[str, ...]:
        """Let go of the models that nobody has used for so long; returns their keys.

        Args:
            seconds: since the last user was done.
            but: keys of models that stay.
        """
        latest = time.monotonic() - seconds
        with self._lock:
            idle = [
                key
                for key, loaded in self._models.items()
                if not loaded.users
                and not loaded.is_kept
                and loaded.used_at <= latest
                and key not in but
            ]
            for key in idle:
                del self._models[key]
        return tuple(idle)

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
            alone = self._loading.setdefault(key, threading.Lock())
        with alone:
            taken = self._take_loaded(key)  # loaded while this thread waited
            if taken is not None:
                return taken
            loaded = _Loaded(model=load(), users=1)
            with self._lock:
                self._models[key] = loaded
            return loaded

    def _take_loaded(self, key: str) -> _Loaded | None:
        with self._lock:
            loaded = self._models.get(key)
            # Counted under the same lock under which idle models leave: no eviction in between.
            if loaded is not None:
                loaded.users += 1
            return loaded
