"""Tell media from other files by their names."""

import re
import stat
from collections.abc import Iterator
from os import stat_result, walk
from pathlib import Path

MEDIA_SUFFIXES = frozenset(
    re.findall(
        r"\.\w+",
        ".3g2 .3gp .aac .ac3 .aif .aifc .aiff .alac .amr .ape .asf .au .avi .caf .dts .eac3 .f4v "
        ".flac .flv .gsm .m2ts .m4a .m4b .m4v .mka .mkv .mov .mp2 .mp3 .mp4 .mpe .mpeg .mpg .mts "
        ".mxf .oga .ogg .ogm .ogv .opus .qt .ra .ram .rm .rmvb .spx .tak .ts .tta .vob .w64 .wav "
        ".wave .weba .webm .wma .wmv .wtv .wv",
    )
)
# What programs call a file that they still write, in front of the media's own suffix.
_UNFINISHED = frozenset({".temp", ".tmp"})


def media_below(directory: Path, *, besides: Path | None = None) -> Iterator[Path]:
    """Yield all media in a folder and the folders in it, in the order of their names.

    Files and folders whose names begin with a dot are passed over, and folders that are links.

    Args:
        directory: where to begin.
        besides: a folder to pass over if it is inside: where the transcripts go.
    """
    avoided = None if besides is None else besides.resolve()
    for folder, folders, names in walk(directory):
        here = Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (here / name).resolve() != avoided
        )
        for name in sorted(names):
            path = here / name
            if not name.startswith(".") and is_media(path) and regular(path) is not None:
                yield path


def is_media(path: Path) -> bool:
    """Whether a name is one of media that nobody writes any longer."""
    last = path.suffix.lower()
    return last in MEDIA_SUFFIXES and Path(path.stem).suffix.lower() not in _UNFINISHED


def regular(path: Path) -> stat_result | None:
    """Return what the file system knows of a regular file; None: it is gone, or something else."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None
