"""Hold one thing that shall be transcribed, and what becomes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from client.identity import options_digest, source_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file, or media that is elsewhere; exactly one of `path` and `source`."""

    # What the journal knows it by, and where its transcripts go below the output folder: the
    # path below the folder that was named. Never absolute, never with "..".
    relative: PurePosixPath
    path: Path | None = None
    source: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    # Whether no other media in its folder has the same name but for the suffix.
    is_alone: bool = True
    has_own_options: bool = False  # then a refusal of the options is this item's, not everybody's

    @property
    def options_digest(self) -> str:
        """What its options come to for the transcript."""
        return options_digest(self.options)

    @property
    def source_digest(self) -> str | None:
        """What stands for media that is elsewhere; None for a file."""
        return None if self.source is None else source_digest(self.source)


class Ending(StrEnum):
    """What became of an item."""

    DONE = "done"  # its transcripts were written
    SKIPPED = "skipped"  # they were there already
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of an item."""

    item: Item
    ending: Ending
    job_id: str | None = None
    outputs: Sequence[Path] = ()
    reason: str = ""  # why it failed
