"""Turn the arguments of a batch into the things to transcribe."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from client.errors import Misuse
from client.identity import short_digest
from client.items import Item
from client.manifest import MANIFEST_SUFFIXES, items_in
from client.media_files import media_below, regular
from client.output_names import below, name_of_source
from client.submission import Submission


def planned(
    arguments: Sequence[str], options: Mapping[str, Any], *, output_dir: Path
) -> list[Item]:
    """Return what folders, patterns, manifests, files and addresses stand for, in their order.

    The whole list is known before anything begins, so that its names are settled and a broken
    manifest is told at once: some hundred bytes for each item, its media is not touched.

    Raises:
        Misuse: an argument stands for nothing.
    """
    found: dict[PurePosixPath, Item] = {}
    for argument in arguments:
        for item in _items(argument, options, output_dir):
            _keep(found, item)
    return _told_apart(found.values())


def stem_of(relative: PurePosixPath) -> tuple[PurePosixPath, str]:
    """Return what two items share whose transcripts would have the same name."""
    return relative.parent, relative.stem.casefold()


def _items(argument: str, options: Mapping[str, Any], output_dir: Path) -> Iterator[Item]:
    path = Path(argument)
    asked = Submission.of(argument, options)
    if asked.source is not None:
        yield Item(relative=name_of_source(argument), source=asked.source, options=options)
    elif path.is_dir():
        for media in media_below(path, besides=output_dir):
            yield Item(relative=below(media.relative_to(path)), path=media, options=options)
    elif path.suffix.lower() in MANIFEST_SUFFIXES and path.is_file():
        yield from items_in(path, options)
    elif path.exists():
        yield Item(relative=below(Path(path.name)), path=path, options=options)
    else:
        yield from _matches(argument, options)


def _matches(pattern: str, options: Mapping[str, Any]) -> Iterator[Item]:
    root = _fixed_part(pattern)
    names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  # as a shell reads it
    if not names:
        msg = f"{pattern!r} is no folder, file or manifest, and as a pattern it matches nothing"
        raise Misuse(msg)
    for media in map(Path, names):
        if regular(media) is not None:
            yield Item(relative=below(media.relative_to(root)), path=media, options=options)


def _fixed_part(pattern: str) -> Path:
    """Return the folders of a pattern in front of its first wildcard."""
    parts = Path(pattern).parts
    fixed = 0
    while fixed < len(parts) - 1 and not glob.has_magic(parts[fixed]):
        fixed += 1
    return Path(*parts[:fixed]) if fixed else Path()


def _keep(found: dict[PurePosixPath, Item], item: Item) -> None:
    """Add an item; another one of the same name gets a name of its own, the same one nothing."""
    twin = found.get(item.relative)
    if twin is None:
        found[item.relative] = item
    elif not _is_same(twin, item):
        address = os.path.abspath(item.path) if item.path else str(item.source)  # noqa: PTH100
        digest = short_digest(f"{address} {item.options_digest}")
        name = f"{item.relative.stem}-{digest}{item.relative.suffix}"
        found[item.relative.with_name(name)] = replace(item, relative=item.relative.with_name(name))


def _is_same(one: Item, other: Item) -> bool:
    return (one.path and one.path.absolute(), one.source, one.options) == (
        other.path and other.path.absolute(),
        other.source,
        other.options,
    )


def _told_apart(items: Iterable[Item]) -> list[Item]:
    items = list(items)
    stems = Counter(stem_of(item.relative) for item in items)
    return [
        item if stems[stem_of(item.relative)] == 1 else replace(item, is_alone=False)
        for item in items
    ]
