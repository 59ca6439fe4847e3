"""Write files so that they are either whole or not there."""

import os
from pathlib import Path

from client.identity import short_digest


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file at once; its folder is made if need be.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Always the same name for the same file, so that what a killed run left is replaced by the
    # next one; short, as the file's own name may be as long as names can be.
    partial = path.with_name(f".whisperline-{short_digest(path.name)}.part")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # the journal will say that it is there, also after a power cut
    partial.replace(path)
