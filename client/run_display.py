"""Show a long run: a table that moves on a terminal, else a line for each item that ends."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from client.items import Ending, Item, Outcome
from client.job import Job
from client.printable import in_one_line
from client.screen import Screen

_ROWS = 12  # of items that move; the others are counted
_PER_SECOND = 4  # times the table is drawn anew


class RunLines:
    """Tells of every item that ended, in a line; with `--json`, as JSON too."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._total: int | None = None
        self._ended = 0

    def expect(self, total: int | None) -> None:
        """Take it down."""
        self._total = total

    def began(self, item: Item) -> None:
        """Say nothing."""

    def sending(self, item: Item, count: int) -> None:
        """Say nothing."""

    def seen(self, item: Item, job: Job) -> None:
        """Say nothing."""

    def ended(self, outcome: Outcome) -> None:
        """Say what became of it; what was there before is only counted."""
        self._ended += 1
        self._screen.value(as_json(outcome))
        if outcome.ending is Ending.SKIPPED:
            return
        place = f"{self._ended}/{self._total}" if self._total is not None else f"{self._ended}"
        line = f"[{place}] {outcome.item.relative}: {outcome.ending}"
        if outcome.ending is Ending.FAILED:
            self._screen.complain(f"{line}: {outcome.reason}")
        else:
            self._screen.remark(line)


class RunTable:
    """Shows the items that move, and how many are done."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._lock = threading.Lock()  # uploading threads and the drawing one look at the same
        self._rows: dict[str, str] = {}  # what an item is doing
        self._sent_bytes: dict[str, int] = {}
        self._failed = 0
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=screen.errors,
        )
        self._bar = self._progress.add_task("", total=None)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Be on the terminal."""
        live = Live(
            get_renderable=self._drawn,
            console=self._screen.errors,
            refresh_per_second=_PER_SECOND,
            transient=True,
        )
        with live:
            yield

    def expect(self, total: int | None) -> None:
        """Give the bar its length."""
        self._progress.update(self._bar, total=total)

    def began(self, item: Item) -> None:
        """Add a row."""
        self._row(item, "reading")

    def sending(self, item: Item, count: int) -> None:
        """Count in its row."""
        name = str(item.relative)
        with self._lock:
            sent = self._sent_bytes[name] = self._sent_bytes.get(name, 0) + count
            self._rows[name] = f"sending, {sent / 1e6:.1f} MB"

    def seen(self, item: Item, job: Job) -> None:
        """Say in its row how the job stands."""
        share = f" {job.progress:.0%}" if job.stage else ""
        self._row(item, f"{job.step}{share}")

    def ended(self, outcome: Outcome) -> None:
        """Take the row away; what failed stays above the table."""
        name = str(outcome.item.relative)
        with self._lock:
            self._rows.pop(name, None)
            self._sent_bytes.pop(name, None)
        self._screen.value(as_json(outcome))
        if outcome.ending is Ending.FAILED:
            self._failed += 1
            self._screen.complain(f"{name}: {outcome.reason}")
        failures = f"{self._failed} failed" if self._failed else ""
        self._progress.update(self._bar, advance=1, description=failures)

    def _row(self, item: Item, doing: str) -> None:
        with self._lock:
            self._rows[str(item.relative)] = doing

    def _drawn(self) -> RenderableType:
        with self._lock:
            moving = sorted(self._rows.items(), key=lambda row: row[1].startswith("queued"))
        table = Table.grid(padding=(0, 2))
        for name, doing in moving[:_ROWS]:
            table.add_row(in_one_line(name), doing)
        if len(moving) > _ROWS:
            table.add_row(f"and {len(moving) - _ROWS} more", "")
        return Group(table, self._progress)


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return what `--json` says of an item."""
    told: dict[str, Any] = {
        "type": "item",
        "path": str(outcome.item.relative),
        "ending": str(outcome.ending),
        "job": outcome.job_id,
        "outputs": [str(path) for path in outcome.outputs],
    }
    return told | ({"error": outcome.reason} if outcome.ending is Ending.FAILED else {})
