"""Remember in the output folder what is done, so that the next run need not ask.

    OUT/.whisperline.jsonl    one JSON line for each item that was finished; the last one counts

Lines are only ever appended, each with one fsync. A run that is killed loses at most the line it
was writing: a torn line is passed over, and its item is met again by the id of its job.
"""

import io
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from client.errors import Misuse

try:
    import fcntl
except ImportError:  # no POSIX: two runs at once are then not noticed
    fcntl = None  # type: ignore[assignment]

JOURNAL_NAME = ".whisperline.jsonl"


# Not of pydantic, whose strings are Unicode: a file name may hold bytes that are no UTF-8.
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An item that was finished."""

    path: str  # what the item is known by: its path below the folder that was named
    size: int | None = None  # bytes; None: the media is elsewhere
    mtime_ns: int | None = None  # nanoseconds since the epoch
    sha256: str  # of the bytes, or of the source
    options: str  # digest of the options
    formats: tuple[str, ...]
    job: str
    name: str  # of the transcripts, below the output folder and without suffix


class Journal:
    """What is done in one output folder; held by one run at a time."""

    def __init__(self, directory: Path) -> None:
        """Read what there is.

        Raises:
            Misuse: another run works in this folder.
            OSError: it cannot be read or made.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self._file = (directory / JOURNAL_NAME).open("ab+")
        self._lock(directory)
        self._entries: dict[str, Entry] = {}
        self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def find(self, path: str) -> Entry | None:
        """Return what is known of an item."""
        return self._entries.get(path)

    def names(self) -> Iterator[tuple[str, str]]:
        """Yield each item and the name of its transcripts, in the order of the journal."""
        for entry in self._entries.values():
            yield entry.path, entry.name

    def add(self, entry: Entry) -> None:
        """Remember a finished item; its transcripts are on the disk."""
        self._file.write(json.dumps(asdict(entry)).encode("ascii") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._entries[entry.path] = entry

    def _lock(self, directory: Path) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            msg = f"another whisperline is writing to {directory}; wait until it is done"
            raise Misuse(msg) from error

    def _read(self) -> None:
        self._file.seek(0)
        line = b"\n"
        for line in self._file:
            with suppress(ValueError, TypeError, KeyError):
                told = json.loads(line)
                entry = Entry(**{**told, "formats": tuple(told["formats"])})
                self._entries[entry.path] = entry
        self._file.seek(0, io.SEEK_END)
        if not line.endswith(b"\n"):
            self._file.write(b"\n")  # after a torn line, the next one begins on its own
            self._file.flush()
