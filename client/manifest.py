"""Read a JSONL manifest: a line for each thing to transcribe, with options of its own."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from client.errors import Misuse
from client.items import Item
from client.output_names import below, name_of_source

MANIFEST_SUFFIXES = (".jsonl", ".ndjson")
_WHERE = ("path", "url", "s3_uri")


def items_in(manifest: Path, options: Mapping[str, Any]) -> Iterator[Item]:
    """Yield what the lines name; paths count from the manifest's own folder.

    Args:
        manifest: lines such as {"path": "a.mp3", "language": "de"} or {"url": "https://…"}.
        options: for all lines; a line's own ones win.

    Raises:
        Misuse: a line makes no sense; the message names it.
    """
    try:
        with manifest.open(encoding="utf-8", errors="strict") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _item(line, manifest, options, f"{manifest}, line {number}")
    except UnicodeDecodeError as error:
        msg = f"{manifest} is not UTF-8"
        raise Misuse(msg) from error


def _item(line: str, manifest: Path, options: Mapping[str, Any], where: str) -> Item:
    try:
        told = json.loads(line)
    except ValueError as error:
        msg = f"{where}: no JSON ({error})"
        raise Misuse(msg) from error
    if not isinstance(told, dict):
        msg = f"{where}: not a JSON object"
        raise Misuse(msg)
    named = [name for name in _WHERE if isinstance(told.get(name), str) and told[name]]
    if len(named) != 1:
        msg = f"{where}: name the media by one of {', '.join(_WHERE)}"
        raise Misuse(msg)
    own = {name: value for name, value in told.items() if name not in (*_WHERE, "headers")}
    address = told[named[0]]
    relative, path, source = name_of_source(address), None, None
    if named == ["path"]:
        try:
            relative, path = below(Path(address)), manifest.parent / address
        except ValueError as error:
            msg = f"{where}: {error}"
            raise Misuse(msg) from error
    else:
        source = {named[0]: address, **({"headers": told["headers"]} if "headers" in told else {})}
    return Item(
        relative=relative,
        path=path,
        source=source,
        options={**options, **own},
        has_own_options=bool(own),
    )
