"""Let contenders take turns, so that what the machine does besides hits all of them alike."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def in_turns(
    contenders: Mapping[str, Callable[[], T]], *, runs: int, warm_up: bool = True
) -> Iterator[tuple[str, T]]:
    """Call each `runs` times; who begins changes every time.

    Args:
        contenders: by name.
        runs: of each.
        warm_up: call each once before, uncounted.

    Yields:
        Who it was, and what the call returned.
    """
    names = list(contenders)
    if warm_up:
        for name in names:
            contenders[name]()
    for run in range(runs):
        first = run % len(names)
        for name in names[first:] + names[:first]:
            yield name, contenders[name]()


def median_ratio(of: Sequence[float], to: Sequence[float]) -> float:
    """Return the median of the ratios within each turn.

    What slows the machine down for a minute hits both sides of a turn, and so neither side of this;
    the ratio of the medians may hold a slow minute of one against a fast one of the other.
    """
    return statistics.median(one / other for one, other in zip(of, to, strict=True))
