"""Show what there is to say: results on standard output, everything else on standard error."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from client.printable import in_one_line, printable


class _Errors(Console):
    """Standard error, through which nothing is said once nobody reads it."""

    def on_broken_pipe(self) -> None:
        """Leave as if standard output had broken, instead of with exit code 1."""
        self.quiet = True
        raise BrokenPipeError


class Screen:
    """Where a command says things; with `--json`, results are JSON lines."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        # Asked for NO_COLOR and whether it is a terminal, rich leaves colours out by itself.
        self.errors = _Errors(stderr=True, highlight=False, markup=False)

    @property
    def is_live(self) -> bool:
        """Whether something that moves can be shown."""
        return self.errors.is_terminal and not self.errors.is_dumb_terminal

    def remark(self, text: str, *, style: str | None = None) -> None:
        """Say something on standard error."""
        self.errors.print(in_one_line(text), style=style, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Say something that is probably not wanted."""
        self.remark(text, style="yellow")

    def complain(self, text: str) -> None:
        """Say what went wrong."""
        self.remark(text, style="red")

    def text(self, text: str) -> None:
        """Print a result for people; `--json` leaves it out."""
        if not self.as_json:
            _write(f"{printable(text) if sys.stdout.isatty() else text}\n")

    def content(self, content: bytes) -> None:
        """Print a transcript as it is; a terminal gets no control characters."""
        if sys.stdout.isatty():
            _write(printable(content.decode("utf-8", "replace")))
            return
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()

    def value(self, value: Mapping[str, Any]) -> None:
        """Print a result for programs, as one line of JSON; only with `--json`."""
        if self.as_json:
            _write(f"{json.dumps(value)}\n")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print rows for people; piped, they are separated by tabs and cut nowhere."""
        if self.as_json:
            return
        cells = [["" if cell is None else in_one_line(str(cell)) for cell in row] for row in rows]
        if not sys.stdout.isatty():
            for row in (list(columns), *cells):
                _write("\t".join(row) + "\n")
            return
        table = Table(*columns, box=None, pad_edge=False, header_style="bold")
        for row in cells:
            table.add_row(*row)
        Console(markup=False, highlight=False).print(table)


def _write(text: str) -> None:
    # Written at once: who reads a pipe line by line wants each line when it is there. What a
    # name holds that is no Unicode is shown as a question mark.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def silence() -> None:
    """Let nothing more be written to standard output: its reader is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
