"""Choose where transcripts go: below one folder, and no two of them to the same place."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from client.formats import FORMATS
from client.identity import short_digest

_MOST_BYTES = 255 - len(".json") - 1  # of a name, with the longest suffix, on common file systems
_UNSAFE = re.compile(r"[^\w. -]")


class OutputNames:
    """Gives each item a name of its own, and the same one again in the next run.

    `talk.mp3` becomes `talk.srt`, which players find by themselves, unless `talk.wav` lies beside
    it: then they are `talk.mp3.srt` and `talk.wav.srt`.
    """

    def __init__(self, directory: Path, *, kept: Iterable[tuple[str, str]]) -> None:
        """Begin with the names that earlier runs gave.

        Args:
            directory: where all of them are.
            kept: what the journal knows an item by, and its name.
        """
        self._directory = directory
        self._names = dict(kept)  # by item
        self._owners = {_folded(name): item for item, name in self._names.items()}

    def name_of(self, relative: PurePosixPath, *, is_alone: bool, path: Path | None = None) -> str:
        """Return an item's name below the folder, without the suffix of a format.

        Args:
            relative: what the journal knows it by.
            is_alone: whether no neighbour has the same name but for the suffix.
            path: the media itself, which no transcript may replace.
        """
        item = str(relative)
        if item not in self._names:
            name = next(
                name
                for name in _candidates(relative, is_alone=is_alone)
                if self._owners.get(_folded(name), item) == item and not self._is_media(name, path)
            )
            self._owners[_folded(name)] = item
            self._names[item] = name
        return self._names[item]

    def _is_media(self, name: str, path: Path | None) -> bool:
        if path is None:
            return False
        # Media is hardly ever called like a transcript; but a .json or .txt may be named as media.
        suffix = path.suffix.lower()
        return suffix.lstrip(".") in FORMATS and (
            self._directory.joinpath(f"{name}{path.suffix}").resolve() == path.resolve()
        )


def _candidates(relative: PurePosixPath, *, is_alone: bool) -> Iterator[str]:
    if is_alone:
        yield _fitting(relative.with_name(relative.stem))
    yield _fitting(relative)
    number = 0
    while True:
        number += 1
        digest = short_digest(f"{relative}#{number}")
        yield _fitting(relative.with_name(f"{relative.name}-{digest}"))


def _fitting(relative: PurePosixPath) -> str:
    name = relative.name.encode("utf-8", "surrogateescape")
    if len(name) > _MOST_BYTES:
        digest = short_digest(relative.name)
        cut = name[: _MOST_BYTES - len(digest) - 1].decode("utf-8", "ignore")
        return str(relative.with_name(f"{cut}-{digest}"))
    return str(relative)


def _folded(name: str) -> str:
    """Return what two names share that some file system takes for the same."""
    return unicodedata.normalize("NFC", name.casefold())


def below(path: Path) -> PurePosixPath:
    """Return a path that stays below any folder it is joined to: no root, no "..".

    Raises:
        ValueError: nothing is left of it.
    """
    parts = [part for part in path.parts if part not in (path.anchor, "..", ".", "")]
    if not parts:
        msg = f"{path} names no file"
        raise ValueError(msg)
    return PurePosixPath(*parts)


def name_of_source(address: str) -> PurePosixPath:
    """Return a name for media that is elsewhere: the end of its address, and a short digest."""
    try:
        end = unquote(urlsplit(address).path).rstrip("/").rpartition("/")[2]
    except ValueError:
        end = ""
    shown = PurePosixPath(_UNSAFE.sub("_", end).strip(". ")[:80] or "media")
    return PurePosixPath(f"{shown.stem}-{short_digest(address)}{shown.suffix}")


def safe_name(job_id: str) -> str:
    """Return a name for the transcripts of a job of which nothing but its id is known."""
    return _UNSAFE.sub("_", job_id)
