"""Know when which job was in the pipelines of a fleet, from the lines that its workers write."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One job's stay in a pipeline, in seconds of the machine's monotonic clock."""

    job_id: str
    began: float
    ended: float | None = None  # None: not yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time in which a fleet was looked at, in the same seconds."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended - self.began

    def holds(self, moment: float | None) -> bool:
        """Whether something happened in it; None never did."""
        return moment is not None and self.began <= moment < self.ended


class Activity:
    """What the processes that write into a folder have done since it was last read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read_bytes: dict[Path, int] = {}
        self._sent: dict[Path, dict[str, int]] = {}
        self._stays: dict[str, list[Stay]] = {}

    @property
    def stays(self) -> list[Stay]:
        """Return every job's stays, several where it was handed back."""
        return [stay for stays in self._stays.values() for stay in stays]

    def began(self, job_id: str) -> float | None:
        """Return when a job first came into a pipeline; None: not yet."""
        stays = self._stays.get(job_id)
        return stays[0].began if stays else None

    def requests(self) -> Counter[str]:
        """Return how many requests all have sent to S3, by operation."""
        return sum((Counter(sent) for sent in self._sent.values()), Counter())

    def read(self) -> int:
        """Take note of what was written; return how many stays have begun."""
        return sum(self._read_file(path) for path in sorted(self._directory.glob("*.jsonl")))

    def _read_file(self, path: Path) -> int:
        begun = 0
        with path.open("rb") as file:
            file.seek(self._read_bytes.get(path, 0))
            for line in file:
                if not line.endswith(b"\n"):  # half of it is still to come
                    break
                self._read_bytes[path] = self._read_bytes.get(path, 0) + len(line)
                begun += self._note(path, json.loads(line))
        return begun

    def _note(self, path: Path, line: dict[str, object]) -> int:
        job_id, at = str(line["job_id"]), float(str(line["at"]))
        sent: dict[str, int] = line["s3"]  # type: ignore[assignment]  # benchmarks/fleet_worker.py
        # Threads may write in another order than they counted in.
        if sum(sent.values()) >= sum(self._sent.get(path, {}).values()):
            self._sent[path] = sent
        stays = self._stays.setdefault(job_id, [])
        if line["is_end"]:
            stays[-1] = Stay(job_id=job_id, began=stays[-1].began, ended=at)
            return 0
        stays.append(Stay(job_id=job_id, began=at))
        return 1


def busy_share(stays: Iterable[Stay], window: Window, *, gpus: int) -> float:
    """Return which share of the window the fleet's pipelines were at work, 0 to 1."""
    busy = sum(
        max(0.0, min(_end(stay, window), window.ended) - max(stay.began, window.began))
        for stay in stays
    )
    return busy / (gpus * window.seconds)


def _end(stay: Stay, window: Window) -> float:
    return window.ended if stay.ended is None else stay.ended
