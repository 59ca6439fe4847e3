"""Let each contender run in a process of its own.

So none computes with another's thread settings, allocator or warm caches, and WhisperX has its
libraries as they come.
"""

import logging
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

T = TypeVar("T")
R = TypeVar("R")

_kept: Any = None  # in the process of its own: what was made there


class OwnProcess(Generic[T]):
    """An object that lives in a process of its own; one call at a time."""

    def __init__(self, make: Callable[[], T]) -> None:
        """Start the process, which makes the object; `make` must be found by its name there."""
        self._pool = ProcessPoolExecutor(
            max_workers=1,
            mp_context=get_context("spawn"),  # a forked child would share what is loaded here
            initializer=_make,
            initargs=(make,),
        )

    def call(self, method: Callable[..., R], *arguments: Any, **options: Any) -> R:
        """Call a method of the object there, and return what it returns."""
        return cast("R", self._pool.submit(_call, method.__name__, arguments, options).result())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown()


def _make(make: Callable[[], Any]) -> None:
    global _kept  # the only way from an initializer to what is called later
    warnings.simplefilter("ignore")  # of the libraries measured, as their logs
    logging.disable(logging.WARNING)
    _kept = make()


def _call(method: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return getattr(_kept, method)(*arguments, **options)
