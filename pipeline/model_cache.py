"""Keep loaded models, so that jobs share them."""

import threading
from collections.abc import Callable
from typing import TypeVar, cast

T = TypeVar("T")


class ModelCache:
    """Models by name, each loaded once; safe to share between threads.

    Two threads that want the same model wait for one load; different models load side by side.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held for look-ups only, never while a model loads
        self._loading: dict[str, threading.Lock] = {}
        self._models: dict[str, object] = {}

    def get(self, key: str, load: Callable[[], T]) -> T:
        """Return the model, loading it when nobody has yet.

        A load that raises leaves nothing behind: its error goes to the caller, and the next one
        who asks tries again. One key always stands for one type.
        """
        with self._lock:
            if key in self._models:
                return cast(T, self._models[key])
            alone = self._loading.setdefault(key, threading.Lock())
        with alone:
            with self._lock:
                if key in self._models:  # loaded while this thread waited
                    return cast(T, self._models[key])
            model = load()
            with self._lock:
                self._models[key] = model
            return model

    def loaded(self) -> tuple[str, ...]:
        """The keys of what is loaded, in the order of loading."""
        with self._lock:
            return tuple(self._models)
