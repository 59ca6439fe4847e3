"""Make a file name that somebody else chose fit to be shown."""

import unicodedata
from pathlib import PurePosixPath

MAX_NAME_CHARACTERS = 200


def shown_name(filename: str) -> str:
    """Return a file name without folders and control characters; "media" if nothing is left.

    It is only ever shown and offered for downloads: no file is opened by it.
    """
    name = PurePosixPath(filename.replace("\\", "/")).name
    printable = "".join(c for c in name if unicodedata.category(c)[0] != "C")
    shown = printable.strip()[-MAX_NAME_CHARACTERS:]
    return shown if shown.strip(".") else "media"
