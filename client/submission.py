"""Say what a job is to be made of: media of this machine, or where it is, and options."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OnBytes = Callable[[int], None]  # told of every piece that was read for sending


def _nothing(count: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One job to be: exactly one of `path` and `source`."""

    options: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None
    source: Mapping[str, Any] | None = None  # {"url": …} or {"s3_uri": …}, as the service reads it
    on_bytes: OnBytes = _nothing

    @classmethod
    def of(cls, media: str, options: Mapping[str, Any]) -> "Submission":
        """Return what an argument of the command line asks for: an address or a file."""
        if media.startswith(("http://", "https://")):
            return cls(source={"url": media}, options=options)
        if media.startswith("s3://"):
            return cls(source={"s3_uri": media}, options=options)
        return cls(path=Path(media), options=options)


class CountedFile(io.FileIO):
    """A file that tells how much of it was read, for progress bars of uploads."""

    def __init__(self, path: Path, on_bytes: OnBytes) -> None:
        super().__init__(path, "rb")
        self._on_bytes = on_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any file does."""
        chunk = super().read(size)
        self._on_bytes(len(chunk or b""))
        return chunk or b""


def sent_name(path: Path) -> str:
    """Return a file's name in valid Unicode, whatever bytes the file system holds."""
    return path.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
