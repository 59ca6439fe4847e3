"""Keep the books: what the service promised, and what came of it."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise


class Expected(StrEnum):
    """How a job has to end."""

    SUCCEEDED = "succeeded"
    CANCELED = "canceled"  # or succeeded, where the cancel came too late
    DELETED = "deleted"
    CRASHES = "attempts_exhausted"
    HANGS = "stalled"
    EATS = "out_of_memory"
    CORRUPT = "corrupt_media"


@dataclass(slots=True, kw_only=True)
class Promise:
    """A job that the service accepted, and what was seen of it since."""

    job_id: str
    client_id: str
    says: str  # that its transcript has to begin with
    expected: Expected
    accepted_at: float  # monotonic
    status: str = "queued"
    code: str | None = None  # why it failed
    attempt: int = 0
    text: str | None = None  # of the transcript, when it was first seen
    ended_at: float | None = None
    faults: list[str] = field(default_factory=list)  # what is wrong with it


class Accounts:
    """All promises; threads may share them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._promises: dict[str, Promise] = {}

    def accept(self, promise: Promise) -> None:
        """Write down a 202."""
        with self._lock:
            known = self._promises.setdefault(promise.job_id, promise)
        if known is not promise and known.client_id != promise.client_id:
            known.faults.append(f"one id for {known.client_id} and {promise.client_id}")

    def all(self) -> list[Promise]:
        """Return every promise, in the order of their acceptance."""
        with self._lock:
            return list(self._promises.values())

    def open(self) -> list[Promise]:
        """Return those whose end was not seen yet."""
        return [promise for promise in self.all() if promise.ended_at is None]

    def ended_since(self, moment: float) -> int:
        """Return how many ended after a monotonic moment."""
        return sum(
            promise.ended_at is not None and promise.ended_at > moment for promise in self.all()
        )


def longest_pause(promises: list[Promise]) -> tuple[float, float]:
    """Return how long at most clients saw no job end, in seconds, and since which monotonic one."""
    ends = sorted(each.ended_at for each in promises if each.ended_at is not None)
    return max(((after - before, before) for before, after in pairwise(ends)), default=(0.0, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the books say at the end."""

    jobs: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    stuck: tuple[str, ...]
    wrong: tuple[str, ...]
    statuses: Counter[str]

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.doubled or self.stuck or self.wrong)


def verdict(promises: list[Promise], refused: list[str]) -> Verdict:
    """Judge what was seen of promises, and of submissions that were refused without a reason."""
    return Verdict(
        jobs=len(promises),
        lost=_with("lost", promises),
        doubled=_with("doubled", promises),
        stuck=tuple(each.job_id for each in promises if each.ended_at is None),
        wrong=tuple(refused)
        + tuple(
            f"{each.job_id}: {fault}"
            for each in promises
            for fault in each.faults
            if not fault.startswith(("lost", "doubled"))
        ),
        statuses=Counter(each.code or each.status for each in promises),
    )


def _with(kind: str, promises: list[Promise]) -> tuple[str, ...]:
    return tuple(
        f"{each.job_id}: {fault}"
        for each in promises
        for fault in each.faults
        if fault.startswith(kind)
    )


def ended(promise: Promise, status: str, code: str | None, text: str | None) -> None:
    """Note the end of a job, and what is wrong with it."""
    promise.status, promise.code, promise.text = status, code, text
    promise.ended_at = time.monotonic()
    if not _is_right(promise):
        promise.faults.append(f"ended as {code or status} instead of {promise.expected}")
    if status == "succeeded" and not (text or "").startswith(promise.says):
        promise.faults.append(f"says {text!r} instead of {promise.says!r}")


def _is_right(promise: Promise) -> bool:
    found = promise.code or promise.status
    allowed = {str(promise.expected)}
    if promise.expected in (Expected.CANCELED, Expected.DELETED):
        allowed |= {"succeeded", "canceled", "deleted"}
    return found in allowed
